"""Which items a word is in and what it counts there, and the items where several count most.

The items of the words that count most are all scored; as soon as the other words together could
not bring an item among the best, they are scored for the items met so far alone (MaxScore: Turtle
and Flood, 1995). What is found does not depend on the order of the words: weights are
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

Shares = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Rows of items, and how much of a query each holds, [C] each."""

_TINY = float(np.finfo(np.float64).tiny)
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

    def first(self, num_words: int) -> "Postings":
        """Return the postings of the first words alone."""
        starts = self.starts[: num_words + 1]
        end = starts[-1]
        return Postings(starts, self.rows[:end], self.weights[:end], self.num_items)

    def with_words(
        self, more: Sequence[tuple[NDArray[np.int32], NDArray[np.float32]]]
    ) -> "Postings":
        """Return these and further words after them: rows, ascending, and weights of each."""
        ends = self.starts[-1] + np.cumsum([len(rows) for rows, _ in more], dtype=np.int64)
        return Postings(
            np.concatenate([self.starts, ends.astype(self.starts.dtype)]),
            np.concatenate([self.rows, *(rows for rows, _ in more)]).astype(self.rows.dtype),
            np.concatenate([self.weights, *(weights for _, weights in more)]),
            self.num_items,
        )

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
            sums += times * _looked_up(*self.of(word), items)
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
        with self._scratch() as held:
            found = _Search(held, k, max(least, _TINY))
            for place, word in enumerate(order):
                rows, weights = self.of(word)
                if rest[place] < found.floor:  # what none of the words before has is out of reach
                    found.add(rows, weights, counted[word], rest[place])
                    continue
                if allowed is not None:
                    kept = allowed[rows]
                    rows, weights = rows[kept], weights[kept]
                found.take(rows, weights * np.float64(counted[word]))
            return found.close()

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


class _Search:
    """The items of a query's words, as long as they may be among the best.

    Args:
        held: Zeros, [N]; the sums of all items met so far, and zeros again at the end.
        k: As `Postings.best`.
        floor: A sum that an item has to reach, as far as is known.
    """

    def __init__(self, held: NDArray[np.float64], k: int, floor: float) -> None:
        self.floor = floor
        self._held, self._k = held, k
        self._met: list[NDArray[np.intp]] = []  # no item twice
        self._items: NDArray[np.intp] | None = None  # of those, what may be among the best
        self._sums: NDArray[np.float64] = np.empty(0)

    def take(self, rows: NDArray[np.int32], weights: NDArray[np.float64]) -> None:
        """Add a word to the sums of all items that have it."""
        items = rows.astype(np.intp)  # once, and not at each use
        if self._met:
            before = self._held.take(items)
            weights = before + weights
            self._met.append(items[before == 0])
        else:
            self._met.append(items)
        self._held[items] = weights
        self._raise(weights)

    def add(
        self, rows: NDArray[np.int32], weights: NDArray[np.float32], times: int, rest: float
    ) -> None:
        """Add a word to the sums of the items met so far, and part with what is out of reach.

        Args:
            rows: Items that have the word, ascending.
            weights: What it counts in each.
            times: How often the query has it.
            rest: What this word and those after it can add at most.
        """
        items = self._within(rest)
        if len(items) * _DENSE < len(rows):
            self._held[items] += times * _looked_up(rows, weights, items)
            return
        before = self._held.take(rows)
        known = np.flatnonzero(before)
        self._held[rows[known]] = before[known] + times * weights[known].astype(np.float64)

    def close(self) -> Sums:
        """Return the best items and their sums."""
        items = self._within(0.0)
        sums = self._sums
        for met in self._met:
            self._held[met] = 0
        if self._k and len(sums) > self._k:
            self.floor = max(
                self.floor, float(np.partition(sums, -self._k)[-self._k]) * _SAME_SHARE
            )
        within = np.flatnonzero(sums >= self.floor)
        return items[within], sums[within]

    def _within(self, rest: float) -> NDArray[np.intp]:
        """Return the items that may be among the best if so much can be added to their sums."""
        if self._items is None:
            self._items = np.concatenate([np.empty(0, np.intp), *self._met])
        sums = self._held.take(self._items)
        self._raise(sums)
        within = np.flatnonzero(sums >= np.nextafter(self.floor - rest, -np.inf))
        self._items, self._sums = self._items[within], sums[within]
        return self._items

    def _raise(self, sums: NDArray[np.float64]) -> None:
        self.floor = max(self.floor, _reached_by(sums, self._k))


def _looked_up(
    rows: NDArray[np.int32], weights: NDArray[np.float32], items: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the weights of some items, 0 for one that is not among `rows`."""
    if not len(rows):
        return np.zeros(len(items))
    places = np.minimum(np.searchsorted(rows, items.astype(rows.dtype)), len(rows) - 1)
    return np.where(rows[places] == items, weights[places], 0).astype(np.float64)


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
