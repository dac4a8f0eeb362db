"""Some items of a vector index, searched by themselves; an index of one shard has all of them.

Shapes: Q queries, n items of the shard, C items looked at, k results, D embedding length; vectors
are 2 D long, or 2 d where compact ones are looked at first.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import Any, TypeVar

import faiss
import numpy as np
from numpy.typing import NDArray

from smar.index.allowed import Allowed, narrowed
from smar.index.passes import best_of, settled
from smar.index.query_vectors import Found
from smar.index.rounded import RoundedRows

# Rows `[S_t ; S_m]` of unit halves are not longer; with the lengths of queries and vectors it
# bounds what adding up in another order may do to a score.
_LONGEST = 1.5
_UNIT = 2.0**-24
_SCORES = 2**22  # held at once

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Shard:
    """Items that are searched together.

    Args:
        index: The Faiss index, whose rows are places in the shard, 0 to n - 1.
        rows: Their rows in the catalogue, ascending, [n]; None: all items, in its order.
        whole: The exact index of whole vectors, where `index` holds compact ones; None: it holds
            whole ones itself.
        rounded: What searches exactly in a quarter of the time, None where nothing does.
    """

    index: Any
    rows: NDArray[np.int64] | None = None
    whole: Any = None
    rounded: RoundedRows | None = None

    def __len__(self) -> int:
        return int(self.index.ntotal)

    @cached_property
    def exact(self) -> Any:
        """The exact index of whole vectors that is part of every kind."""
        if self.whole is not None:
            return faiss.downcast_index(self.whole)
        flat = self._refiner or getattr(self._kind, "storage", None) or self._kind
        return faiss.downcast_index(flat)

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """The item rows `[S_t ; S_m]`, not a copy, [n, 2 D]."""
        stored = faiss.rev_swig_ptr(self.exact.get_xb(), self.exact.ntotal * self.exact.d)
        stored.flags.writeable = False  # those of a file are mapped and cannot be
        return stored.reshape(self.exact.ntotal, self.exact.d)

    @property
    def is_flat(self) -> bool:
        """Whether every item is compared by its whole vector."""
        return self.whole is None and isinstance(self._kind, faiss.IndexFlat)

    @property
    def is_refined(self) -> bool:
        """Whether compact vectors have a pass of their own between codes and whole vectors."""
        return self.whole is not None and self._scores_twice is not None

    @cached_property
    def _kind(self) -> Any:
        return faiss.downcast_index(self.index)

    @cached_property
    def _refiner(self) -> Any:
        """What scores the finds of codes again inside `index`, None where nothing does."""
        refiner = getattr(self._kind, "refine_index", None)
        return refiner and faiss.downcast_index(refiner)

    @cached_property
    def _scores_twice(self) -> Any:
        # A flat index of a batch adds up in an order that depends on where its items lie.
        return self._refiner or (self._kind if isinstance(self._kind, faiss.IndexFlat) else None)

    def hastened(self) -> "Shard":
        """Return the shard with its exact searches hastened, for the same results."""
        return replace(self, rounded=RoundedRows(self.vectors, self.similarities))

    def within(self, allowed: Allowed | None) -> Allowed | None:
        """Return which of the shard's own items are allowed."""
        if allowed is None or self.rows is None:
            return allowed
        return Allowed(allowed.mask[self.rows])

    def near(
        self,
        queries: NDArray[np.float32],
        depth: int,
        allowed: Allowed | None,
        *,
        further: float,
        is_exact: bool,
    ) -> Found:
        """Return what the first pass finds: scores and places, [Q, C]; place -1 means none.

        Args:
            queries: As the index compares them, [Q, 2 d]; whole ones where `is_exact`.
            depth: Items that are wanted, at least 1; with those that score as the last one.
            allowed: The places that may be found, None for all.
            further: How many items of the catalogue there are for each that is allowed.
            is_exact: Whether whole vectors are compared, whatever the index looks at first.
        """
        if not len(self):
            shape = len(queries), 0
            return np.empty(shape, np.float32), np.empty(shape, np.int64)
        if is_exact and allowed is not None:
            return self._near_of(allowed.rows, queries, depth)
        index = self.exact if is_exact else self.first
        params = None if allowed is None else narrowed(index, allowed, further)

        def search(some: NDArray[np.float32], number: int) -> Found:
            return index.search(some, number, params=params)

        if isinstance(index, faiss.IndexHNSW):  # what a graph finds depends on the depth
            return search(queries, min(depth, len(self)))
        slack = self.slack(queries, is_exact=is_exact)
        return settled(search, queries, min(depth, len(self)), len(self), slack)

    def _near_of(
        self, places: NDArray[np.int64], queries: NDArray[np.float32], depth: int
    ) -> Found:
        """Return what `near` finds among some places by whole vectors.

        Faiss would ask of every place of the shard whether it is one of them.
        """
        slack, size = self.slack(queries, is_exact=True), max(1, _SCORES // max(1, len(places)))
        left = []
        for start in range(0, len(queries), size):
            block = queries[start : start + size]
            scored = _scores_of(self.exact, block, np.tile(places, (len(block), 1)))
            for scores, spare in zip(scored, slack[start:], strict=False):
                bound = _nth(scores, depth) - spare if len(scores) > depth else -np.inf
                left.append((scores[scores >= bound], places[scores >= bound]))
        width = max((len(found) for _, found in left), default=0)
        shape = len(queries), width
        told, found = np.full(shape, -np.inf, np.float32), np.full(shape, -1, np.int64)
        for number, (scores, own) in enumerate(left):
            told[number, : len(own)], found[number, : len(own)] = scores, own
        return told, found

    @cached_property
    def first(self) -> Any:
        """The Faiss index that is looked at first."""
        within = getattr(self._kind, "base_index", None) if self._refiner is not None else None
        return faiss.downcast_index(within) if within is not None else self._kind

    def slack(self, queries: NDArray[np.float32], *, is_exact: bool) -> NDArray[np.float32]:
        """Return by how much two orders of adding up part scores of the first pass, at most, [Q].

        Codes are added up as whole numbers, or one after the other: nothing.
        """
        if not (is_exact or isinstance(self.first, faiss.IndexFlat)):
            return np.zeros(len(queries), np.float32)
        lengths = np.linalg.norm(queries, axis=1)
        return (2 * queries.shape[1] * _UNIT * _LONGEST * lengths).astype(np.float32)

    def again(self, queries: NDArray[np.float32], near: Found) -> Found:
        """Return finds as the second pass over compact vectors scores them, [Q, C].

        Args:
            queries: As the index compares them, [Q, 2 d].
            near: What the first pass left.
        """
        places = near[1]
        scorer = self._scores_twice
        if isinstance(scorer, faiss.IndexFlat):
            return _scores_of(scorer, queries, places), places
        scores = np.full(places.shape, -np.inf, np.float32)
        for query, found, told in zip(queries, places, scores, strict=True):
            here = found >= 0
            told[here] = np.vecdot(scorer.reconstruct_batch(found[here]), query)
        return scores, places

    def best(self, queries: NDArray[np.float32], places: NDArray[np.int64], k: int) -> Found:
        """Return whole scores and catalogue rows of the k best of some places, best first, [Q, k].

        Args:
            queries: Whole gated queries, [Q, 2 D].
            places: What was left, -1 for none, [Q, C].
            k: Results per query.
        """
        ascending = np.sort(places, axis=1)  # so that a mapped file is read forwards
        empty = int((ascending < 0).sum(axis=1).min(initial=ascending.shape[1]))
        ascending = ascending[:, empty:] if empty else ascending
        scores = _scores_of(self.exact, queries, ascending)
        return self._of_catalogue(*best_of(scores, ascending, k))

    def best_rounded(self, queries: NDArray[np.float32], k: int, allowed: Allowed | None) -> Found:
        """Return the same of all places, or those that are allowed, by rounded vectors first."""
        if self.rounded is None:
            raise ValueError("this shard has no rounded vectors")
        places = None if allowed is None else allowed.rows
        return self._of_catalogue(*self.rounded.search(queries, k, places))

    def _of_catalogue(self, scores: NDArray[np.float32], places: NDArray[np.int64]) -> Found:
        if self.rows is None or not len(self.rows):
            return scores, places
        return scores, np.where(places < 0, -1, self.rows[places])

    def similarities(
        self, query: NDArray[np.float32], places: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the exact scores of some places, [C], for a gated query [2 D] or [K, 2 D].

        A score does not depend on the others: pages of one ranking fit each other. Rows are read
        where the index holds them; to gather them first takes twice as long.
        """
        queries = np.ascontiguousarray(np.atleast_2d(query), np.float32)
        labels = np.tile(np.asarray(places, np.int64), (len(queries), 1))
        return np.asarray(_scores_of(self.exact, queries, labels).max(axis=0))


def _scores_of(
    flat: Any, queries: NDArray[np.float32], places: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the scores of places, [Q, C], each by itself; -inf where the place is -1."""
    labels = np.ascontiguousarray(places)
    scores = np.full(labels.shape, -np.inf, np.float32)
    if labels.size:
        pointers = (faiss.swig_ptr(each) for each in (scores, labels))
        flat.compute_distance_subset(
            len(queries), faiss.swig_ptr(queries), labels.shape[1], *pointers
        )
        scores[labels < 0] = -np.inf
    return scores


def _nth(scores: NDArray[np.float32], n: int) -> np.float32:
    """Return the n-th largest score."""
    return np.partition(scores, len(scores) - n)[len(scores) - n]


def of_each(function: Callable[..., Result], *arguments: Sequence[Any]) -> list[Result]:
    """Return what a function makes of each shard with its arguments, on Faiss's threads."""
    number, threads = len(arguments[0]), faiss.omp_get_max_threads()
    at_once = min(number, threads)
    if at_once < 2:
        return [*map(function, *arguments)]
    return [*_pool(at_once).map(partial(_with_threads, threads // at_once, function), *arguments)]


def _with_threads(threads: int, function: Callable[..., Result], *arguments: Any) -> Result:
    faiss.omp_set_num_threads(threads)  # a thread of Python has a number of its own
    return function(*arguments)


@lru_cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="shards")
