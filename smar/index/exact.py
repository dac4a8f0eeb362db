"""Exact search by matrix products: the yardstick of every other index.

Shapes: Q queries, N items, D vector length.
"""

import numpy as np
from numpy.typing import NDArray

from smar.errors import ShapeError
from smar.index.item_rows import ItemRows

_BLOCK = 1024  # queries at once
_ITEMS = 2**16  # and items: 2**26 scores
_FEW, _ITEMS_OF_FEW = 64, 2**11  # of few queries so many, which stay in the caches


def exact_search(
    queries: NDArray[np.float32], items: NDArray[np.float32] | ItemRows, k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return scores and rows of the k items with the largest inner product, best first.

    Args:
        queries: [Q, D].
        items: [N, D], of which a block is looked at at a time.
        k: Results per query; fewer items than k leave score -inf and row -1.

    Returns:
        Scores [Q, k] and rows [Q, k]; equal scores are ordered by row.

    Raises:
        ShapeError: If the lengths differ.
    """
    if queries.shape[1] != items.shape[1]:
        raise ShapeError(
            f"exact_search: queries of length {queries.shape[1]}, items of {items.shape[1]}."
        )
    found = min(k, len(items))
    scores = np.full((len(queries), k), -np.inf, np.float32)
    rows = np.full((len(queries), k), -1, np.int64)
    for start in range(0, len(queries), _BLOCK):
        block = slice(start, start + _BLOCK)
        scores[block, :found], rows[block, :found] = _best(queries[block], items, found)
    return scores, rows


def _best(
    queries: NDArray[np.float32], items: NDArray[np.float32] | ItemRows, k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return scores and rows of the k best items, k <= N, which are read once."""
    at_once = _ITEMS if len(queries) > _FEW else _ITEMS_OF_FEW
    first = min(max(at_once, k), len(items))
    scores, rows = top_of(queries @ items[:first].T, k)
    for start in range(first, len(items), at_once):
        block = queries @ items[start : start + at_once].T
        least = scores[:, -1] if k else np.full(len(queries), np.inf)
        for number, line in enumerate(block):
            # Of equal scores the row before wins, and it is there already.
            better = np.flatnonzero(line > least[number])
            if len(better):
                both = np.concatenate([scores[number], line[better]])
                order = np.argsort(-both, kind="stable")[:k]
                rows[number] = np.concatenate([rows[number], better + start])[order]
                scores[number] = both[order]
    return scores, rows


def top_of(scores: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the k best scores [Q, k] and their columns of a matrix [Q, N]; ties by column."""
    if k == 0:
        return scores[:, :0], np.empty((len(scores), 0), np.int64)
    bound = np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k]
    rows = np.empty((len(scores), k), np.int64)
    for number, (line, least) in enumerate(zip(scores, bound, strict=True)):
        candidates = np.flatnonzero(line >= least)  # ascending, so a stable sort keeps ties by row
        rows[number] = candidates[np.argsort(-line[candidates], kind="stable")[:k]]
    return np.take_along_axis(scores, rows, axis=1), rows
