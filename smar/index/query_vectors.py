"""Searches by queries of several vectors.

Shapes: Q queries, K vectors a query, k results, D vector length.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Found = tuple[NDArray[np.float32], NDArray[np.int64]]


def search_vectors(
    search: Callable[[NDArray[np.float32], int], Found], vectors: NDArray[np.float32], k: int
) -> Found:
    """Return scores and rows, [Q, k] each, of queries of one vector [Q, D] or several [Q, K, D].

    An item's score is the largest over the query's vectors. Merging the k best of every vector
    gives exactly the k best by that score: an item left out by the vector it suits best has k items
    above it.

    Args:
        search: Returns scores and rows, best first, row -1 for none, of plain vectors [Q, D].
        vectors: Query vectors.
        k: Results per query.
    """
    if vectors.ndim == 2:
        return search(vectors, k)
    scores, rows = search(vectors.reshape(-1, vectors.shape[-1]), k)
    scores = scores.reshape(len(vectors), -1)  # [Q, K * k]
    rows = rows.reshape(len(vectors), -1)
    order = np.lexsort((-scores, rows), axis=1)
    scores, rows = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
    repeated = np.zeros(rows.shape, bool)
    repeated[:, 1:] = rows[:, 1:] == rows[:, :-1]
    rows = np.where(repeated, -1, rows)
    scores = np.where(rows < 0, -np.inf, scores).astype(np.float32)
    last = np.where(rows < 0, np.iinfo(np.int64).max, rows)
    order = np.lexsort((last, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
