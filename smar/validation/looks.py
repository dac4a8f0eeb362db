"""Which pictures look the same.

Shapes: n thumbnails of T numbers, A projections.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from smar.data.order import ordered

AXES = 16
"""A."""
_ORDERS = 4  # of the axes, along which pictures are compared with their neighbours
_NEIGHBOURS = 3
_SEED = 5
_AT_ONCE = 16_384

Thumbnails = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""Returns the thumbnails of some rows."""


def projected(thumbnails: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return thumbnails [n, T] on a few random axes, [n, A]; each by itself, whatever its place."""
    found: NDArray[np.float32] = np.einsum("nt,to->no", thumbnails, _axes(thumbnails.shape[1]))
    return found


def group_looks(
    projections: NDArray[np.float32], thumbnails: Thumbnails, numbers: int, same_below: float
) -> NDArray[np.int64]:
    """Return the number of each thumbnail's group, [n].

    Pictures that look the same lie side by side in any projection, so each is compared with its
    neighbours in the first four: n log n instead of n * n. A projection of two thumbnails is never
    further apart than they are, so that nearly all that differ are told apart by the other
    projections, and few thumbnails are asked for.

    Args:
        projections: Of all thumbnails, as `projected`, [n, A].
        thumbnails: Returns those of some rows.
        numbers: T.
        same_below: Root mean square difference below which two look the same.
    """
    from scipy.sparse import coo_matrix  # 0.15 s that runs without new pictures do not wait for
    from scipy.sparse.csgraph import connected_components

    count = len(projections)
    if count < 2:
        return np.zeros(count, np.int64)
    furthest = _furthest(_axes(numbers), same_below)
    columns, pairs = np.ascontiguousarray(projections.T), []
    for values, told, bound in zip(columns[:_ORDERS], columns[::-1], furthest[::-1], strict=False):
        order = ordered(values)
        beside = told[order]  # in the order itself neighbours are near each other
        for step in range(1, min(_NEIGHBOURS, count - 1) + 1):
            near = np.flatnonzero(np.abs(beside[:-step] - beside[step:]) <= bound)
            one, other = _near(columns, order[near], order[near + step], furthest)
            same = _difference(thumbnails, one, other, numbers) < same_below
            pairs.append(np.stack([one[same], other[same]]))
    one, other = np.concatenate(pairs, axis=1)
    links = coo_matrix((np.ones(len(one), np.int8), (one, other)), shape=(count, count))
    return connected_components(links, directed=False)[1].astype(np.int64)


def _axes(numbers: int) -> NDArray[np.float32]:
    """Return the random axes, [T, A]."""
    rng = np.random.default_rng(_SEED)
    some = [rng.normal(size=(numbers, count)) for count in (_ORDERS, AXES - _ORDERS)]
    return np.concatenate(some, axis=1).astype(np.float32)


def _near(
    columns: NDArray[np.float32],
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    furthest: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs that no projection, [A, n], tells apart; each looks at those left."""
    for values, bound in zip(columns, furthest, strict=True):
        near = np.abs(values[one] - values[other]) <= bound
        one, other = one[near], other[near]
    return one, other


def _furthest(axes: NDArray[np.float32], same_below: float) -> NDArray[np.float64]:
    """Return how far apart thumbnails that look the same can be in each projection, [orders].

    `|a (x - y)| <= |a| |x - y|` (Cauchy-Schwarz), with room for what float32 rounds.
    """
    numbers, rounding = len(axes), 255 * np.abs(axes).sum(axis=0) * np.finfo(np.float32).eps
    length = np.sqrt((axes.astype(np.float64) ** 2).sum(axis=0))
    bound: NDArray[np.float64] = length * same_below * np.sqrt(numbers) + numbers * rounding
    return bound


def _difference(
    thumbnails: Thumbnails, one: NDArray[np.int64], other: NDArray[np.int64], numbers: int
) -> NDArray[np.float32]:
    """Return root mean square differences, in chunks that bound the memory."""
    result = np.empty(len(one), np.float32)
    for start in range(0, len(one), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        gap = thumbnails(one[part]) - thumbnails(other[part])
        result[part] = np.sqrt(np.einsum("nt,nt->n", gap, gap) / numbers)
    return result
