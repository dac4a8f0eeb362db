"""The best items of queries that were asked before, when few items changed since.

What exact search finds for a query among items that are as they were, it found before: an item that
is new is scored, one that is gone is left out, and the rest keep their order. Of every query more
items are kept than are asked for, with the score that all others had at most; where what is left of
them does not fill the results above that, all items are searched again. Copies of an item may stand
in another order than a search of all gives them: the last bit of a product depends on its place.

Shapes: Q queries, N items, M kept for a query, D vector length.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smar.content_keys import KeyTable, keys_of_rows
from smar.index.exact import exact_search
from smar.index.item_rows import ItemRows

_DEEPER = 4  # times as many are kept as are asked for
_MOST_NEW = 0.2  # of the items; with more all are searched
_ROUNDING = 1e-5  # by which the same product of unit vectors may come out otherwise
_AT_ONCE = 256  # queries that new items are scored for


@dataclass(frozen=True)
class Bests:
    """What exact search found.

    Args:
        queries: What each query is known by, [Q, 2].
        items: The first number of what its best items are known by, best first, [Q, M].
        bounds: What all other items score at most, [Q].
    """

    queries: NDArray[np.uint64]
    items: NDArray[np.uint64]
    bounds: NDArray[np.float32]


class ExactSearch:
    """Exact search that remembers what it found.

    Args:
        vectors: The items, [N, D].
        keys: What they are known by, [N, 2]; None remembers nothing.
        earlier: What was found among earlier items.
        before: What these are known by.
    """

    def __init__(
        self,
        vectors: NDArray[np.float32] | ItemRows,
        keys: NDArray[np.uint64] | None = None,
        earlier: Bests | None = None,
        before: NDArray[np.uint64] | None = None,
    ) -> None:
        self._vectors, self._keys = vectors, keys
        self._found: list[tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float32]]] = []
        self._earlier: Bests | None = None
        if keys is None or earlier is None or before is None or not len(before):
            return
        self._new = np.flatnonzero(KeyTable(before).rows_of(keys) < 0)
        if len(self._new) <= _MOST_NEW * len(keys):
            self._earlier = earlier
            self._rows_of_new = vectors[self._new]
            self._is_new = np.zeros(len(keys), np.bool_)
            self._is_new[self._new] = True
            self._order = np.argsort(keys[:, 0], kind="stable")
            self._sorted = keys[self._order, 0]

    def rows(self, queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Return the rows of the k best items of queries [Q, D], best first, k <= N."""
        if self._keys is None:
            return exact_search(queries, self._vectors, k)[1]
        asked = keys_of_rows(queries)
        deep = min(_DEEPER * k, len(self._vectors))
        scores = np.full((len(queries), deep), -np.inf, np.float32)
        rows = np.full((len(queries), deep), -1, np.int64)
        bounds = np.full(len(queries), np.inf, np.float32)
        kept = self._kept_of(asked)
        for start in range(0, len(queries), _AT_ONCE):
            some = np.flatnonzero(kept[start : start + _AT_ONCE] >= 0) + start
            if len(some):
                self._renewed(queries, some, kept[some], (scores, rows, bounds))
        rest = np.flatnonzero(~(scores[:, k - 1] > bounds + _ROUNDING)) if k else np.arange(0)
        if len(rest):
            scores[rest], rows[rest] = exact_search(queries[rest], self._vectors, deep)
            bounds[rest] = scores[rest, -1]
        items = np.where(rows >= 0, self._keys[rows, 0], np.uint64(0))
        self._found.append((asked, items, bounds))
        return rows[:, :k]

    def _kept_of(self, asked: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return where queries were asked before, -1 for others, [Q]."""
        if self._earlier is None:
            return np.full(len(asked), -1, np.int64)
        return KeyTable(self._earlier.queries).rows_of(asked)

    def _renewed(
        self,
        queries: NDArray[np.float32],
        some: NDArray[np.int64],
        kept: NDArray[np.int64],
        found: Sequence[NDArray[np.generic]],
    ) -> None:
        """Put what some queries find, asked before at `kept`, into scores, rows and bounds."""
        assert self._earlier is not None  # noqa: S101 - they were asked before
        scores, rows, bounds = found
        of_new, deep = queries[some] @ self._rows_of_new.T, scores.shape[1]
        for number, (query, place) in enumerate(zip(some, kept, strict=True)):
            known = np.unique(self._earlier.items[place])
            first = np.searchsorted(self._sorted, known, side="left")
            last = np.searchsorted(self._sorted, known, side="right")
            near = [self._order[a:b] for a, b in zip(first, last, strict=True) if b > a]
            old = np.sort(np.concatenate([*near, self._new[:0]]))
            old = old[~self._is_new[old]]
            of_old = self._vectors[old] @ queries[query]
            least = _least_of_best(of_old, of_new[number], deep)
            may_be = np.flatnonzero(of_new[number] >= least)  # few of those that are new
            both = np.concatenate([old, self._new[may_be]])
            scored = np.concatenate([of_old, of_new[number, may_be]])
            order = np.lexsort((both, -scored))[:deep]
            scores[query, : len(order)], rows[query, : len(order)] = scored[order], both[order]
            is_all = len(order) == len(old) + len(self._new)
            least = -np.inf if is_all else scored[order[-1]]
            bounds[query] = max(float(self._earlier.bounds[place]), float(least))

    @property
    def bests(self) -> Bests | None:
        """What was found for all queries so far; None where nothing is remembered."""
        if self._keys is None or not self._found:
            return None
        deep = min(items.shape[1] for _, items, _ in self._found)
        if any(items.shape[1] > deep for _, items, _ in self._found):
            return None
        queries, items, bounds = (np.concatenate(part) for part in zip(*self._found, strict=True))
        return Bests(queries, items, bounds)


def _least_of_best(old: NDArray[np.float32], new: NDArray[np.float32], deep: int) -> float:
    """Return a score that the best `deep` of old and new ones together have at least.

    Where old ones are too few, as some are gone, the best of the new ones take their places.
    """
    if len(old) >= deep:
        return _nth(old, deep)
    missing = deep - len(old)
    if missing > len(new):
        return -np.inf
    return min(float(old.min(initial=np.inf)), _nth(new, missing))


def _nth(scores: NDArray[np.float32], n: int) -> float:
    """Return the n-th largest score."""
    return float(np.partition(scores, -n)[-n])
