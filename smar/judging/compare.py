"""How sure a mean is, and a difference between two systems on the same queries.

Shapes: Q queries, R resamples, M metrics.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEVEL = 0.95
_FLIPS = 10_000
_BLOCK = 1000


@dataclass(frozen=True)
class Difference:
    """A paired comparison, `a - b`.

    Args:
        mean: Mean difference.
        low: Lower end of its 95 % interval.
        high: Upper end of its 95 % interval.
        p_value: Two-sided, of the randomisation test.
    """

    mean: float
    low: float
    high: float
    p_value: float


def mean_intervals(
    values: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the 95 % percentile-bootstrap interval of each column's mean, [2, M].

    Args:
        values: One row per query, [Q, M].
        resamples: R.
        rng: Decides the resamples; queries are drawn with replacement.
    """
    size = len(values)
    if size == 0:
        return np.full((2, values.shape[1]), np.nan)
    drawn = rng.multinomial(size, np.full(size, 1 / size), size=resamples)  # [R, Q]
    means = drawn @ values / size  # [R, M]
    tail = 50 * (1 - _LEVEL)
    return np.percentile(means, [tail, 100 - tail], axis=0)


def paired_difference(
    a: NDArray[np.float64], b: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> Difference:
    """Return how a differs from b over the same queries, [Q] each.

    The p value is that of Fisher's randomisation test: the share of random sign flips of the
    differences whose mean is at least as large, the observed one counted in (so it is never 0).
    """
    gaps = a - b
    interval = mean_intervals(gaps[:, None], resamples, rng)
    observed = abs(gaps.mean()) - 1e-12
    extreme = 0
    for _ in range(_FLIPS // _BLOCK):
        signs = rng.integers(0, 2, (_BLOCK, len(gaps))) * 2 - 1
        extreme += int((np.abs(signs @ gaps / len(gaps)) >= observed).sum())
    return Difference(
        mean=float(gaps.mean()),
        low=float(interval[0, 0]),
        high=float(interval[1, 0]),
        p_value=(extreme + 1) / (_FLIPS + 1),
    )
