"""Exact search that reads a quarter of the memory: vectors rounded to 8 bits come first.

To look at every vector takes as long as to read it. Rounded vectors are read instead, and say
between what bounds each score lies; what may be among the best by these bounds is scored by its
whole vector. The finds are those of a search of whole vectors: nothing is left to chance.

Shapes: Q queries, N items, C items looked at, k results, L vector length.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from smar.index.query_vectors import Found

_MOST = 2**31 - 1  # what the sums of the loops hold
_SCORES = 2**24  # bounds held at once
# Beside rounding to 8 bits: what adding up in float32 may do to a score, in parts of the lengths.
_FLOAT = 2e-5

Score = Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.float32]]
"""Of a query [L] and rows [C]: their exact scores, [C]."""


class RoundedRows:
    """Items that can be searched exactly.

    Args:
        rows: Their vectors, [N, L].
        score: Scores some of them.
    """

    def __init__(self, rows: NDArray[np.float32], score: Score) -> None:
        from smar.index import rounded_kernels

        self._scan, self._score = rounded_kernels.scan, score
        self._codes = np.empty(rows.shape, np.int8)
        self._steps, self._errors = (np.empty(len(rows), np.float32) for _ in range(2))
        whole = np.ascontiguousarray(rows, np.float32).view()
        whole.flags.writeable = False
        rounded_kernels.round_rows(whole, self._codes, self._steps, self._errors)
        longest = float(self._steps.max(initial=0.0)) * 127 * np.sqrt(rows.shape[1])
        self._longest = longest  # no rounded vector is longer
        self._all: NDArray[np.int64] = np.arange(len(rows))

    def search(
        self, queries: NDArray[np.float32], k: int, rows: NDArray[np.int64] | None = None
    ) -> Found:
        """Return scores and rows of the k best, best first, ties by row; row -1 means none.

        Args:
            queries: [Q, L].
            k: Results per query, at least 1.
            rows: The items that may be found, ascending, [C]; None for all.
        """
        among = self._all if rows is None else rows
        scores = np.full((len(queries), k), -np.inf, np.float32)
        found = np.full((len(queries), k), -1, np.int64)
        if not len(among):
            return scores, found
        size = max(1, _SCORES // len(among))
        for start in range(0, len(queries), size):
            block = queries[start : start + size]
            for place, near in enumerate(self._near(block, k, among), start):
                exact = self._score(queries[place], near)
                order = np.lexsort((near, -exact))[:k]
                scores[place, : len(order)], found[place, : len(order)] = exact[order], near[order]
        return scores, found

    def _near(
        self, queries: NDArray[np.float32], k: int, among: NDArray[np.int64]
    ) -> list[NDArray[np.int64]]:
        """Return the items that may be among the k best of each query, at least as many."""
        among = np.ascontiguousarray(among, np.int64).view()
        among.flags.writeable = False
        exact = queries.astype(np.float64)
        units = np.abs(exact).max(axis=1) / min(32_767, _MOST // (127 * exact.shape[1]))
        units[units == 0] = 1.0
        whole = np.rint(exact / units[:, None]).astype(np.int16)
        lengths = np.linalg.norm(exact, axis=1)
        rounded_off = np.linalg.norm(exact - whole * units[:, None], axis=1)
        slack = (rounded_off + _FLOAT * lengths) * self._longest
        highs = np.empty((len(queries), len(among)), np.float32)
        lows = np.empty((len(queries), min(k, len(among))), np.float32)
        items = self._codes, self._steps, self._errors
        self._scan(items, among, (whole, units, lengths), slack, highs, lows)
        return [among[high >= low[0]] for high, low in zip(highs, lows, strict=True)]
