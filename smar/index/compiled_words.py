"""Words searched by compiled code: what `Postings` finds, several times as fast.

To load the code takes as long as hundreds of searches, and to compile it, which is done once on a
machine, some seconds: it is for those who search many times.

Shapes: N items, C items looked up, k results.
"""

from collections import Counter
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smar.index.postings import Postings, Shares

_REMEMBERED = 4096  # queries, as the loops take them
_TINY = float(np.finfo(np.float64).tiny)


class CompiledWords:
    """Finds what `Postings` finds.

    Args:
        postings: The items of every word.
    """

    def __init__(self, postings: Postings) -> None:
        from smar.index import word_kernels

        self._kernels = word_kernels
        self._postings = postings
        self._index = (
            readonly(postings.starts, np.int64),
            readonly(postings.rows, np.int32),
            readonly(postings.weights, np.float32),
        )
        self._all = readonly(np.empty(0, np.bool_), np.bool_)
        self._wanted = lru_cache(_REMEMBERED)(self._read)

    def best(
        self, words: tuple[int, ...], reachable: float, k: int, allowed: NDArray[np.bool_] | None
    ) -> Shares:
        """Return the rows of the k largest shares above 0 and these, best first, ties by row.

        Args:
            words: Numbers of words, each as often as it counts.
            reachable: The sum of weights that is a share of 1.
            k: How many at most.
            allowed: The items that may be found, [N]; None for all.
        """
        return self._found(words, reachable, k, _TINY, allowed)

    def reaching(
        self,
        words: tuple[int, ...],
        reachable: float,
        least: float,
        allowed: NDArray[np.bool_] | None,
    ) -> Shares:
        """Return all rows whose sum is at least `least`, > 0, in no order, and their shares."""
        return self._found(words, reachable, 0, least, allowed)

    def shares_of(
        self, words: tuple[int, ...], reachable: float, items: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the shares of some items, [C]."""
        shares = np.empty(len(items), np.float32)
        rows = readonly(items, np.int64)
        self._kernels.shares_of(self._index, self._wanted(words), reachable, rows, shares)
        return shares

    def _found(
        self,
        words: tuple[int, ...],
        reachable: float,
        k: int,
        floor: float,
        allowed: NDArray[np.bool_] | None,
    ) -> Shares:
        mask = self._all if allowed is None else readonly(allowed, np.bool_)
        most = self._most(words)
        rows = np.empty(min(k, most) if k else most, np.int64)
        shares = np.empty(len(rows), np.float32)
        size = self._kernels.best(
            self._index, self._wanted(words), reachable, len(rows) if k else 0, floor, mask, rows,
            shares,
        )  # fmt: skip
        return rows[:size], shares[:size]

    def _most(self, words: tuple[int, ...]) -> int:
        """Return how many items may have one of some words."""
        starts = self._postings.starts
        postings = sum(int(starts[word + 1] - starts[word]) for word in set(words))
        return min(postings, self._postings.num_items)

    def _read(self, words: tuple[int, ...]) -> tuple[Any, Any, Any]:
        """Return words as the loops take them (`word_kernels.Wanted`)."""
        counted = Counter(words)
        bounds = {word: float(self._postings.largest[word]) * counted[word] for word in counted}
        order = sorted(counted, key=lambda word: -bounds[word])
        rest = [*accumulate((bounds[word] for word in reversed(order)), initial=0.0)][::-1]
        return (
            readonly(order, np.int64),
            readonly([counted[word] for word in order], np.float64),
            readonly(rest, np.float64),
        )


def readonly(values: Any, kind: type) -> NDArray[Any]:
    """Return values as an array of one kind that is not written to: the code is of that type."""
    array: NDArray[Any] = np.ascontiguousarray(values, kind).view()
    array.flags.writeable = False
    return array
