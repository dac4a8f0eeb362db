"""What an index is measured by: queries, items as queries, and what exact search finds for both.

A search by items ("similar") asks for other neighbours than one by texts: settings that find what
texts ask for may miss what items do, and the other way round. Both have to reach the target.

Shapes: Q queries, N items, D embedding length; vectors in the index are 2 D long.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smar.index.ann import gated_queries
from smar.index.bests import ExactSearch
from smar.index.item_rows import ItemRows


@dataclass(frozen=True)
class Yardstick:
    """Sets of queries with the true k best of each.

    Args:
        queries: Of each set, [Q, 2 D].
        truth: Rows that exact search finds, of each set, [Q, k].
    """

    queries: Sequence[NDArray[np.float32]]
    truth: Sequence[NDArray[np.int64]]

    @classmethod
    def of(
        cls,
        sample: NDArray[np.float32],
        vectors: NDArray[np.float32] | ItemRows,
        size: int,
        k: int,
        exact: ExactSearch | None = None,
    ) -> "Yardstick":
        """Return the yardstick of a catalogue.

        Args:
            sample: Gated queries, [Q, 2 D].
            vectors: Item rows `[S_t ; S_m]`, [N, 2 D].
            size: Items that are asked for, at most, spread evenly over the catalogue.
            k: Results per query, at most N.
            exact: Exact search in these vectors, if some is at hand.
        """
        exact = exact or ExactSearch(vectors)
        rows = np.unique(np.linspace(0, len(vectors) - 1, min(size, len(vectors))).astype(np.int64))
        queries = [each for each in (sample, as_queries(vectors, rows)) if len(each)]
        return cls(queries, [exact.rows(each, k) for each in queries])

    def recall(self, search: Callable[[NDArray[np.float32]], NDArray[np.int64]]) -> float:
        """Return the mean share of the true k best that a search finds, of the worse set.

        Args:
            search: Of queries [Q, 2 D]: the rows that it finds, [Q, at least k], best first.
        """
        return min(
            recall_of(search(queries)[:, : truth.shape[1]], truth)
            for queries, truth in zip(self.queries, self.truth, strict=True)
        )


def as_queries(
    vectors: NDArray[np.float32] | ItemRows, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return items as gated queries, [Q, 2 D]: their own S_m at gate 1/2."""
    own = np.array(vectors[rows][:, vectors.shape[1] // 2 :], np.float32)
    return gated_queries(own, np.full(len(rows), 0.5, np.float32))


def recall_of(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Return the mean share of the true top k that was found."""
    shared = [len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True)]
    return float(np.mean(shared)) / truth.shape[1]
