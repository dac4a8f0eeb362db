"""The loops of a search by words, compiled: `compiled_words` calls them.

They go over the items in windows small enough for the sums of one to stay in the nearest cache.
Within a window all items of the words that count most are met; the other words are added for those
that may still be among the best alone (MaxScore, as in `postings`). The k best so far are a heap
with the worst of them on top. Equal shares go by row and windows by rows, so that an item of a
further window has to have more than it: where k items have all that a query can, the search ends.

Sums are float64 of float32 weights, so that no order of adding rounds: what is found is what
`postings` finds, bit for bit.

Shapes: N items, V words of the index, W words of a query, C items looked up, k results.
"""

from functools import partial
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from smar.index.compiling import array, compiled

_WINDOW = 4096  # items
_DENSE = 8  # postings for each item looked up among them, up to which all of them are read instead
_ROUNDED = 1 - 2.0**-50  # more than some products of float64 lose

Index = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]
"""Where the items of each word begin, [V + 1]; their rows; what the word counts in each."""
Wanted = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]
"""Numbers of words, those that can add most first; how often each is wanted, [W] each; what each
and those after it can add at most, and 0, [W + 1]."""


_given = partial(array, readonly=True)
_INDEX = types.Tuple((_given(types.int64), _given(types.int32), _given(types.float32)))
_WANTED = types.Tuple((_given(types.int64), _given(types.float64), _given(types.float64)))
_ROWS, _SHARES = array(types.int64), array(types.float32)


@compiled()
def _first_from(rows: Any, low: int, high: int, row: int) -> int:
    """Return the first place from `low` to `high` whose row is at least `row`."""
    while low < high:
        middle = (low + high) >> 1
        if rows[middle] < row:
            low = middle + 1
        else:
            high = middle
    return low


@compiled()
def _is_worse(share: float, row: int, other: float, other_row: int) -> bool:
    return share < other or (share == other and row > other_row)


@compiled()
def _better(share: float) -> float:
    """Return what a larger share of float32 is made of at least: half way to the next one."""
    return (np.float64(share) + np.float64(np.nextafter(share, np.float32(np.inf)))) / 2


@compiled()
def _sink(rows: Any, shares: Any, size: int) -> None:
    """Bring what is on top of a heap to where it belongs."""
    place, row, share = 0, rows[0], shares[0]
    while 2 * place + 1 < size:
        below = 2 * place + 1
        if below + 1 < size and _is_worse(
            shares[below + 1], rows[below + 1], shares[below], rows[below]
        ):
            below += 1
        if not _is_worse(shares[below], rows[below], share, row):
            break
        rows[place], shares[place] = rows[below], shares[below]
        place = below
    rows[place], shares[place] = row, share


@compiled()
def _rise(rows: Any, shares: Any, place: int) -> None:
    """Bring what was put at the end of a heap to where it belongs."""
    row, share = rows[place], shares[place]
    while place:
        above = (place - 1) >> 1
        if not _is_worse(share, row, shares[above], rows[above]):
            break
        rows[place], shares[place] = rows[above], shares[above]
        place = above
    rows[place], shares[place] = row, share


@compiled()
def _put(rows: Any, shares: Any, size: int, k: int, row: int, share: float) -> int:
    """Put an item among the k best, or among all for k = 0, and return how many there are."""
    if k == 0 or size < k:
        rows[size], shares[size] = row, share
        if k:
            _rise(rows, shares, size)
        return size + 1
    if _is_worse(shares[0], rows[0], share, row):
        rows[0], shares[0] = row, share
        _sink(rows, shares, size)
    return size


@compiled()
def _meet(index: Any, word: Any, start: int, sums: Any, met: Any, count: int) -> Any:
    """Add a word to all its items in a window; return how many are met, and where it goes on.

    Args:
        index: As `Index`.
        word: Where its items go on and end, and how often it is wanted.
        start: First row of the window.
        sums: Of the items of the window, 0 for those not met.
        met: These, from the window's start.
        count: How many.
    """
    _, rows, weights = index
    place, end, times = word
    while place < end and rows[place] < start + _WINDOW:
        item = rows[place] - start
        before = sums[item]
        if before == 0.0:
            met[count] = item
            count += 1
        sums[item] = before + times * weights[place]
        place += 1
    return count, place


@compiled()
def _part(sums: Any, met: Any, count: int, least: float) -> int:
    """Part with the items whose sum is below `least`, and return how many are left."""
    kept = 0
    for place in range(count):
        item = met[place]
        if sums[item] >= least:
            met[kept] = item
            kept += 1
        else:
            sums[item] = 0.0
    return kept


@compiled()
def _add(index: Any, word: Any, start: int, sums: Any, met: Any, count: int) -> int:
    """Add a word to the items that were met, and return where it goes on; arguments as `_meet`."""
    _, rows, weights = index
    place, end, times = word
    first = _first_from(rows, place, end, start)
    last = _first_from(rows, first, end, start + _WINDOW)
    if last - first < count * _DENSE:
        for place in range(first, last):
            before = sums[rows[place] - start]
            if before != 0.0:
                sums[rows[place] - start] = before + times * weights[place]
        return last
    for number in range(count):
        place = _first_from(rows, first, last, start + met[number])
        if place < last and rows[place] == start + met[number]:
            sums[met[number]] += times * weights[place]
    return last


@compiled()
def _needed(rest: Any, words: int, floor: float) -> int:
    """Return how many words, from the first, an item that reaches `floor` has one of."""
    while words and rest[words - 1] < floor:
        words -= 1
    return words


@compiled(
    types.int64(
        _INDEX, _WANTED, types.float64, types.int64, types.float64, _given(types.boolean),
        _ROWS, _SHARES,
    )
)  # fmt: skip
def best(
    index: Any, wanted: Any, reachable: float, k: int, floor: float, allowed: Any, rows: Any,
    shares: Any,
) -> int:  # fmt: skip
    """Find the items with the k largest shares, best first, ties by row; return how many.

    Args:
        index: As `Index`.
        wanted: As `Wanted`.
        reachable: The sum that is a share of 1.
        k: How many; 0 for all whose sum is at least `floor`, in no order.
        floor: No item with a smaller sum is wanted, above 0.
        allowed: Whether each item may be found, [N]; empty for all.
        rows: Is given their rows, [k]; for k = 0 as long as there may be.
        shares: Is given their shares, as long.
    """
    starts, postings, _ = index
    words, times, rest = wanted
    places, ends = starts[words], starts[words + 1]
    sums, met = np.zeros(_WINDOW, np.float64), np.empty(_WINDOW, np.int32)
    size, needed = 0, _needed(rest, len(words), floor)
    while needed:
        start = np.int64(-1)
        for word in range(needed):
            if places[word] < ends[word] and (start < 0 or postings[places[word]] < start):
                start = np.int64(postings[places[word]])
        if start < 0:
            break
        count = 0
        for word in range(needed):
            own = places[word], ends[word], times[word]
            count, places[word] = _meet(index, own, start, sums, met, count)
        for word in range(needed, len(words)):
            count = _part(sums, met, count, floor - rest[word])
            if not count:
                break
            own = places[word], ends[word], times[word]
            places[word] = _add(index, own, start, sums, met, count)
        for number in range(_part(sums, met, count, floor)):
            row, total = start + met[number], sums[met[number]]
            sums[met[number]] = 0.0
            if len(allowed) == 0 or allowed[row]:
                size = _put(rows, shares, size, k, row, np.float32(total / reachable))
        if k and size == k:
            floor = max(floor, _better(shares[0]) * reachable * _ROUNDED)
            needed = _needed(rest, needed, floor)
    for last in range(size - 1 if k else 0, 0, -1):
        rows[0], rows[last] = rows[last], rows[0]
        shares[0], shares[last] = shares[last], shares[0]
        _sink(rows, shares, last)
    return size


@compiled(types.void(_INDEX, _WANTED, types.float64, _given(types.int64), _SHARES))
def shares_of(index: Any, wanted: Any, reachable: float, items: Any, shares: Any) -> None:
    """Find the shares of some items.

    Args:
        index: As `Index`.
        wanted: As `Wanted`.
        reachable: The sum that is a share of 1.
        items: Their rows, fastest where they ascend, [C].
        shares: Is given their shares, [C].
    """
    starts, rows, weights = index
    words, times, _ = wanted
    sums = np.zeros(len(items), np.float64)
    for word in range(len(words)):
        first, end = starts[words[word]], starts[words[word] + 1]
        place, before = first, np.int64(-1)
        for number in range(len(items)):
            item = items[number]
            place = _first_from(rows, place if item >= before else first, end, item)
            before = item
            if place < end and rows[place] == item:
                sums[number] += times[word] * weights[place]
    for number in range(len(items)):
        shares[number] = np.float32(sums[number] / reachable)
