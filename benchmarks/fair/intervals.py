"""How sure a mean over seeds and queries is, and a difference of two.

Shapes: S seeds, Q queries, R resamples.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DEVIATIONS = 1.96  # of a 95 % interval
_BLOCK = 500  # resamples at once


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval.

    Args:
        mean: The mean.
        low: Lower end.
        high: Upper end.
    """

    mean: float
    low: float
    high: float


def told(found: Interval, scale: float, digits: int) -> str:
    """Return a mean with its interval for people: 1 for figures, 100 for points, with a sign."""
    sign = "+" if scale > 1 else ""
    mean, low, high = (f"{scale * x:{sign}.{digits}f}" for x in (found.mean, found.low, found.high))
    return f"{mean} ({low} to {high})"


def seed_weights(seeds: int, resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the weights of seeds in each resample, rows that sum to 1, [R, S].

    Seeds are drawn with replacement. Of few seeds a plain draw varies too little, by (S - 1) / S;
    deviations are stretched by the root of its inverse (Rao and Wu, 1988), so that the variance of
    a mean is s^2 / S. One seed has weight 1: of it no interval can say what another would find.
    """
    if seeds == 1:
        return np.ones((resamples, 1))
    counts = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
    return (1 + math.sqrt(seeds / (seeds - 1)) * (counts - 1)) / seeds


def mean_over(values: NDArray[np.float64], resamples: int, rng: np.random.Generator) -> Interval:
    """Return the mean of values [S, Q] with its interval over seeds and queries."""
    return difference(values, np.zeros((1, values.shape[1])), resamples, rng)


def difference(
    a: NDArray[np.float64], b: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> Interval:
    """Return how the mean of a differs from that of b over the same queries.

    Resamples draw queries, the same for both, and the seeds of each, which have nothing in common:
    a hierarchical bootstrap. The interval is 1.96 deviations of the resampled means to either side:
    three seeds draw 10 different means, too few for percentiles.

    Args:
        a: Values of one system, [S, Q].
        b: Values of the other, [S', Q].
        resamples: R.
        rng: Decides the resamples.
    """
    queries, found = a.shape[1], []
    for start in range(0, resamples, _BLOCK):
        size = min(_BLOCK, resamples - start)
        drawn = rng.multinomial(queries, np.full(queries, 1 / queries), size=size)  # [R, Q]
        gap = seed_weights(len(a), size, rng) @ a - seed_weights(len(b), size, rng) @ b
        found.append((gap * drawn).sum(1) / queries)
    mean = float(a.mean() - b.mean())
    half = _DEVIATIONS * float(np.concatenate(found).std())
    return Interval(mean, mean - half, mean + half)
