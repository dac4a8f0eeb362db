"""What a pass of a search leaves for the next one, and results of several shards as one.

An approximate search looks at codes first and scores what they find by whole vectors. How many
finds it scores is a depth; which ones, Faiss leaves open where scores are equal, and codes of 4
bits often are. Here a pass leaves every item whose score is at least the depth-th largest. That
depends on scores alone, not on where items lie, so that shards that are searched apart leave what
one index of all items leaves.

Shapes: Q queries, S shards, C items that are left, k results.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smar.index.exact import top_of
from smar.index.query_vectors import Found

_FEW = 4  # times as many as are wanted are sorted faster than they are parted first
_FURTHER, _FURTHEST = 16.0, 16.0**6  # all lists are looked at long before
_SPARE = 64  # items that are asked for beyond the depth, to see where equal scores end

Search = Callable[[NDArray[np.float32], int], Found]
"""Of queries [Q, D] and a depth: scores and rows, best first, row -1 for none."""


def settled(
    search: Search,
    queries: NDArray[np.float32],
    depth: int,
    size: int,
    slack: NDArray[np.float32],
) -> Found:
    """Return all items whose score is at least the depth-th largest less the slack, [Q, C].

    Args:
        search: Returns as many of the best as asked for, which of equal ones is open.
        queries: [Q, D].
        depth: Items that are wanted, at least 1.
        size: Items that there are.
        slack: By how much scores of the search may err, twice, [Q].
    """
    asked = min(depth + _SPARE, size)
    scores, rows = _found(search, queries, asked)
    left = np.flatnonzero(_goes_on(scores, rows, depth, slack))
    while asked < size and len(left):
        asked = min(2 * asked, size)
        more_scores, more_rows = _found(search, queries[left], asked)
        scores = _widened(scores, asked, np.float32(-np.inf))
        rows = _widened(rows, asked, np.int64(-1))
        scores[left], rows[left] = more_scores, more_rows
        left = left[_goes_on(more_scores, more_rows, depth, slack[left])]
    is_left = scores >= scores[:, depth - 1 : depth] - slack[:, None]
    width = int(is_left.sum(axis=1).max(initial=0))  # they come first
    return scores[:, :width], np.where(is_left[:, :width], rows[:, :width], -1)


def _found(search: Search, queries: NDArray[np.float32], asked: int) -> Found:
    scores, rows = search(queries, asked)
    if (rows[:, -1] < 0).any():
        scores = np.where(rows < 0, np.float32(-np.inf), scores)
    return scores, rows


def _goes_on(
    scores: NDArray[np.float32], rows: NDArray[np.int64], depth: int, slack: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Return whether items beyond the last one may still be wanted, [Q]."""
    return (rows[:, -1] >= 0) & (scores[:, -1] >= scores[:, depth - 1] - slack)


def _widened(values: NDArray[Any], width: int, value: Any) -> NDArray[Any]:
    """Return values with as many columns, the further ones of one value; much faster than `pad`."""
    if values.shape[1] == width:
        return values
    found = np.full((len(values), width), value)
    found[:, : values.shape[1]] = values
    return found


def filled(
    near: Sequence[Found],
    search: Callable[[NDArray[np.int64], float], Sequence[Found]],
    wanted: int,
) -> list[Found]:
    """Return the finds of all shards, of queries that found too few those of a further search.

    A filter may leave out all that is near: then the lists that were looked at hold little or
    nothing that is allowed, though there is enough.

    Args:
        near: Scores and rows of each shard, [Q, C] each.
        search: Searches some of the queries, so many times further.
        wanted: Items of all shards that each query has to find; there are as many.
    """
    found, times = list(near), 1.0
    while True:
        counts = sum((rows >= 0).sum(axis=1) for _, rows in found)
        short = np.flatnonzero(counts < wanted)
        if not len(short) or times > _FURTHEST:
            return found
        times *= _FURTHER
        found = [_put(*both, short) for both in zip(found, search(short, times), strict=True)]


def _put(old: Found, new: Found, lines: NDArray[np.int64]) -> Found:
    """Return finds with other ones in some lines."""
    width = max(old[1].shape[1], new[1].shape[1])
    scores = _widened(old[0], width, np.float32(-np.inf)).copy()
    rows = _widened(old[1], width, np.int64(-1)).copy()
    scores[lines] = _widened(new[0], width, np.float32(-np.inf))
    rows[lines] = _widened(new[1], width, np.int64(-1))
    return scores, rows


def left_by(near: Sequence[Found], depth: int, slack: NDArray[np.float32]) -> list[Found]:
    """Return what a pass over all shards leaves of each shard's finds: others become row -1.

    Args:
        near: Scores and rows of each shard, [Q, C] each.
        depth: Items of all shards that are wanted.
        slack: As of `settled`.
    """
    every = np.concatenate([scores for scores, _ in near], axis=1)
    if every.shape[1] <= depth:
        return list(near)
    place = every.shape[1] - depth
    bound = (np.partition(every, place, axis=1)[:, place] - slack)[:, None]
    return [(scores, np.where(scores >= bound, rows, -1)) for scores, rows in near]


def best_of(scores: NDArray[np.float32], rows: NDArray[np.int64], k: int) -> Found:
    """Return the k best, best first, ties by row, [Q, k]; row -1 means none.

    Args:
        scores: Of each row, -inf where there is none, [Q, C].
        rows: Ascending in each line, -1 for none, [Q, C].
        k: Results per query.
    """
    lines = np.arange(len(scores))[:, None]
    if scores.shape[1] <= _FEW * k:
        columns = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        top = scores[lines, columns]
    else:
        top, columns = top_of(scores, k)
    found = rows[lines, columns]
    return _widened(top, k, np.float32(-np.inf)), _widened(found, k, np.int64(-1))


def merged(found: Sequence[Found], k: int) -> Found:
    """Return the k best of all shards, best first, ties by row, [Q, k]; row -1 means none."""
    if len(found) == 1:
        return found[0]
    scores, rows = (np.concatenate(each, axis=1) for each in zip(*found, strict=True))
    last = np.where(rows < 0, np.iinfo(np.int64).max, rows)
    order = np.lexsort((last, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
