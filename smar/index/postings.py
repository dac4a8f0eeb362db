"""Which items a word is in and what it counts there, and the items where several count most.

Of the words of a query those that count most are looked up item by item, and as soon as the other
words together could not bring an item among the best, only those are left to score (MaxScore:
Turtle and Flood, 1995). What is found does not depend on the order of the words: weights are
float32 and their sums float64, which holds them without rounding.

Shapes: N items, V words, C items found.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

Sums = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Rows of items, and the sum of the weights of a query's words in each, [C] each."""

_SAME_SHARE = 1 - 2**-22  # sums this near may be one share of float32
_DENSE = 8  # postings for each item that is looked up among them, from which a search is cheaper


class Postings:
    """The items of every word.

    Args:
        starts: Where the items of each word begin, and the end, [V + 1].
        rows: Items, ascending within a word.
        weights: What the word counts in each, > 0; float32.
        num_items: N.
    """

    def __init__(
        self,
        starts: NDArray[np.int64],
        rows: NDArray[np.int32],
        weights: NDArray[np.float32],
        num_items: int,
    ) -> None:
        self.starts, self.rows, self.weights = starts, rows, weights
        self.num_items = num_items
        self._own = threading.local()

    def __len__(self) -> int:
        return len(self.starts) - 1

    def of(self, word: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the rows of a word's items, ascending, and what it counts in each."""
        items = slice(self.starts[word], self.starts[word + 1])
        return self.rows[items], self.weights[items]

    @cached_property
    def largest(self) -> NDArray[np.float64]:
        """The most that each word counts anywhere, [V]; 0 for a word of no item."""
        result = np.zeros(len(self))
        filled = np.flatnonzero(np.diff(self.starts))
        if len(filled):
            result[filled] = np.maximum.reduceat(self.weights, self.starts[filled])
        return result

    def sums(self, words: Sequence[int]) -> NDArray[np.float64]:
        """Return the sum of the weights of words, one per time that it is there, in every item."""
        sums = np.zeros(self.num_items)
        for word in words:
            rows, weights = self.of(word)
            sums[rows] += weights
        return sums

    def sums_of(self, words: Sequence[int], items: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what `sums` says of some items, [C]."""
        sums = np.zeros(len(items))
        for word, times in Counter(words).items():
            sums += times * self._weights_of(word, items)
        return sums

    def best(
        self,
        words: Sequence[int],
        k: int = 0,
        least: float = 0.0,
        allowed: NDArray[np.bool_] | None = None,
    ) -> Sums:
        """Return the items with the k largest sums, and all others whose sum is as large.

        Args:
            words: Numbers of words, each as often as it counts.
            k: How many; 0 for all whose sum is at least `least`.
            least: No item with a smaller sum is wanted; > 0 where k is 0.
            allowed: The items that may be found, [N]; None for all.

        Returns:
            Rows in no order, and their sums, all > 0.
        """
        counted = Counter(words)
        bounds = {word: float(self.largest[word]) * times for word, times in counted.items()}
        order = sorted(counted, key=lambda word: -bounds[word])
        # What the words from each one on can add at most.
        rest = [*accumulate((bounds[word] for word in reversed(order)), initial=0.0)][::-1]
        floor = max(least, np.finfo(np.float64).tiny)
        done = 0
        with self._scratch() as held:
            looked_at: list[NDArray[np.int32]] = []
            # From the word on that is out of reach without one before: it finds no item by itself.
            while done < len(order) and rest[done] >= floor:
                items, weights = self.of(order[done])
                if allowed is not None:
                    kept = allowed[items]
                    items, weights = items[kept], weights[kept]
                sums = held[items] + np.float64(counted[order[done]]) * weights
                held[items] = sums
                looked_at.append(items)
                floor = max(floor, _reached_by(sums, k))
                done += 1
            rows, sums, floor = _taken(held, looked_at, k, floor, rest[done])
        for place in range(done, len(order)):
            sums = sums + counted[order[place]] * self._weights_of(order[place], rows)
            floor = max(floor, _reached_by(sums, k))
            within = sums + rest[place + 1] >= floor
            rows, sums = rows[within], sums[within]
        return _exactly(rows, sums, floor, k)

    def _weights_of(self, word: int, items: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what a word counts in some items, 0 where it is not, [C]."""
        rows, weights = self.of(word)
        if not len(rows):
            return np.zeros(len(items))
        if len(items) * _DENSE > len(rows):
            with self._scratch() as held:
                held[rows] = weights
                found = held[items]
                held[rows] = 0
            return found
        places = np.minimum(np.searchsorted(rows, items.astype(rows.dtype)), len(rows) - 1)
        return np.where(rows[places] == items, weights[places], 0).astype(np.float64)

    @contextmanager
    def _scratch(self) -> Iterator[NDArray[np.float64]]:
        """Yield this thread's zeros, [N], which whoever takes them leaves as zeros.

        They are kept: to get so much memory and clear it takes longer than most searches.
        """
        held = getattr(self._own, "held", None)
        if held is None:
            held = np.zeros(self.num_items)
        self._own.held = None
        yield held
        self._own.held = held


def _taken(
    held: NDArray[np.float64], looked_at: list[NDArray[np.int32]], k: int, floor: float, rest: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], float]:
    """Return the items whose sums may still reach the floor, and the floor; leave zeros in `held`.

    Args:
        held: Sums by item, 0 where none of `looked_at` is.
        looked_at: Rows that have a sum; an item may be in several.
        k: As `Postings.best`.
        floor: A sum that an item has to reach, as far as is known.
        rest: What can be added to a sum at most.
    """
    parts = []
    for rows in looked_at:
        sums = held[rows]  # 0 where another word had the item
        held[rows] = 0
        floor = max(floor, _reached_by(sums, k))
        parts.append((rows, sums))
    kept = [np.flatnonzero((sums + rest >= floor) & (sums > 0)) for _, sums in parts]
    left = [(rows[at], sums[at]) for (rows, sums), at in zip(parts, kept, strict=True)]
    found = np.concatenate([np.empty(0, np.int64), *(rows for rows, _ in left)])
    return found, np.concatenate([np.empty(0), *(sums for _, sums in left)]), floor


def _exactly(rows: NDArray[np.int64], sums: NDArray[np.float64], floor: float, k: int) -> Sums:
    """Return the items of the k largest sums and those as large, all if k is 0."""
    if k and len(sums) > k:
        floor = max(floor, float(np.partition(sums, -k)[-k]))
    within = sums >= floor * _SAME_SHARE if k else sums >= floor
    return rows[within], sums[within]


def _reached_by(sums: NDArray[np.float64], k: int) -> float:
    """Return a sum that at least k items reach, 0 if there are too few items to say.

    The k-th largest of the sums that are the largest of their block is one; it is found in one
    pass, where to find the k-th largest of all takes many times as long. Neighbours are put in
    different blocks: items of one kind lie together in a catalogue, and are found together.
    """
    if not k or len(sums) < k:
        return 0.0
    num_blocks = 4 * k
    if len(sums) >= 2 * num_blocks:
        whole = len(sums) // num_blocks * num_blocks
        sums = sums[:whole].reshape(-1, num_blocks).max(axis=0)
    return float(np.partition(sums, -k)[-k]) * _SAME_SHARE
