"""Linear discriminants of many words at once, each item scored by what was fitted to others.

Shapes: n items of a fit, W words, D numbers that an item is described by, K folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from smar.data.order import ordered

FOLDS = 5
"""K."""

_LEAST_VARIANCE = 1e-9  # of what does not vary
_LEAST = 0.01  # of the variance that is left within the classes
_PAIRS = 4  # of items that are compared, for each item, above which all are ordered


@dataclass(frozen=True)
class Moments:
    """Sums over items, of which those of other items can be taken away.

    Args:
        size: n.
        total: Sum of what describes them, [D].
        products: Sum of its products, [D, D].
        with_word: Its sum over items with each word, [W, D].
        counts: Items with each word, [W].
    """

    size: int
    total: NDArray[np.float64]
    products: NDArray[np.float64]
    with_word: NDArray[np.float64]
    counts: NDArray[np.float64]

    @classmethod
    def of(cls, described: NDArray[np.float64], told: csr_matrix) -> "Moments":
        """Return the sums of items, [n, D], and whether each is told of each word, [n, W]."""
        is_told = (told > 0).astype(np.float64)
        counts = np.asarray(is_told.sum(0)).ravel()
        with_word = np.asarray(is_told.T @ described)
        products = described.T @ described
        return cls(len(described), described.sum(0), products, with_word, counts)

    def without(self, others: "Moments") -> "Moments":
        """Return the sums of these items but for some of them."""
        mine, theirs = vars(self).items(), vars(others)
        return Moments(**{name: value - theirs[name] for name, value in mine})

    @classmethod
    def all_of(cls, parts: Sequence["Moments"]) -> "Moments":
        """Return the sums of the items of all parts together."""
        return cls(**{name: sum(vars(part)[name] for part in parts) for name in vars(parts[0])})


@dataclass(frozen=True)
class Discriminants:
    """`x @ lines + offsets` are log odds of words; [D, W] and [W]."""

    lines: NDArray[np.float64]
    offsets: NDArray[np.float64]

    @classmethod
    def of(cls, moments: Moments, columns: slice, ridge: NDArray[np.float64]) -> "Discriminants":
        """Return what items say of words by some of the numbers that describe them.

        With the means m1 and m0 of items with and without a word, their share p with it, and the
        covariance C within both (Fisher, 1936):

            log odds(w | x) = log(p / (1 - p)) + (x - (m1 + m0) / 2)' C^-1 (m1 - m0)

        Args:
            moments: Of the items.
            columns: Which of the D numbers.
            ridge: What is added to the variance of each of the D, as a share of the mean variance
                of those that have the same.
        """
        size, mean = moments.size, moments.total[columns] / moments.size
        share = np.clip(moments.counts / size, 1 / size, 1 - 1 / size)
        with_word = moments.with_word[:, columns] / np.maximum(moments.counts, 1)[:, None] - mean
        with_word[moments.counts == 0] = 0
        without = -with_word * (share / (1 - share))[:, None]
        apart = with_word - without
        covariance = moments.products[columns, columns] / size - np.outer(mean, mean)
        covariance += np.diag(_added(np.diag(covariance), ridge[columns]))
        lines = np.linalg.solve(covariance, apart.T)
        # Within the classes it is smaller by p (1 - p) d d' (Sherman and Morrison, 1950).
        between = share * (1 - share) * np.einsum("wd,dw->w", apart, lines)
        lines /= np.maximum(1 - between, _LEAST)
        middle = np.einsum("wd,dw->w", (with_word + without) / 2, lines)
        offsets: NDArray[np.float64] = np.log(share / (1 - share)) - middle - mean @ lines
        return cls(np.asarray(lines, np.float64), offsets)

    def probability(
        self, described: NDArray[np.float64], words: NDArray[np.int64] | slice = slice(None)
    ) -> NDArray[np.float64]:
        """Return the probabilities that items, [n, D], are told of some of the words, [n, W]."""
        found: NDArray[np.float64] = described @ self.lines[:, words]
        found += self.offsets[words]
        np.exp(np.negative(np.clip(found, -50, 50, out=found), out=found), out=found)
        found += 1
        return np.divide(1, found, out=found)


def _added(variance: NDArray[np.float64], ridge: NDArray[np.float64]) -> NDArray[np.float64]:
    added = np.empty_like(variance)
    for each in np.unique(ridge):
        has = ridge == each
        added[has] = each * max(variance[has].mean(), _LEAST_VARIANCE)
    return added


@dataclass(frozen=True)
class Kinds:
    """Items by category, for many words at once.

    Args:
        numbers: The category of each item, a number, [n].
        order: The items, those of a category together, in their order, [n].
        sizes: How many each category has.
        starts: Where these begin in `order`.
    """

    numbers: NDArray[np.int64]
    order: NDArray[np.int64]
    sizes: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, numbers: NDArray[np.int64]) -> "Kinds":
        """Return items of so many categories, numbers from 0 on, [n]."""
        sizes = np.bincount(numbers)
        order = np.argsort(numbers, kind="stable")
        return cls(numbers, order, sizes, np.cumsum(sizes) - sizes)

    def places(self, score: NDArray[np.float64], items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many of its category come before each item by score, ties in their order.

        Args:
            score: Of all items, [n].
            items: Those that are asked for, ascending.
        """
        of = self.numbers[items]
        sizes = self.sizes[of]
        ends = np.cumsum(sizes)
        if not len(items) or ends[-1] > _PAIRS * len(score):  # to order all takes less
            order, places = ordered(score, self.numbers), np.empty(len(score), np.int64)
            places[order] = np.arange(len(score)) - self.starts[self.numbers[order]]
            return places[items]
        others = np.arange(ends[-1]) + np.repeat(self.starts[of] - (ends - sizes), sizes)
        others, own = self.order[others], np.repeat(items, sizes)
        theirs, mine = score[others], score[own]
        is_before = (theirs < mine) | ((theirs == mine) & (others < own))
        return np.add.reduceat(is_before, ends - sizes, dtype=np.int64)


def auc_within(
    score: NDArray[np.float64], has: NDArray[np.int64], kinds: Kinds, few: int
) -> tuple[float, float]:
    """Return the AUC within categories, weighted by the items that are told of, and its error.

    The error is the standard one of Hanley and McNeil (1982), as if the categories were one.

    Args:
        score: Of each item, [n].
        has: Items with the word, ascending.
        kinds: All items by category.
        few: Items without the word that a category needs to say something, one with it.

    Returns:
        0 and 0 where no category says anything.
    """
    of, most = kinds.numbers[has], len(kinds.sizes)
    with_word = np.bincount(of, minlength=most).astype(np.float64)
    above = np.bincount(of, kinds.places(score, has), most) - with_word * (with_word - 1) / 2
    without = kinds.sizes - with_word
    is_enough = (with_word >= 1) & (without >= few)
    if not is_enough.any():
        return 0.0, 0.0
    n1, n0 = with_word[is_enough].sum(), without[is_enough].sum()
    auc = float((above[is_enough] / without[is_enough]).sum() / n1)
    first, second = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (n1 - 1) * (first - auc**2) + (n0 - 1) * (second - auc**2)
    return auc, float(np.sqrt(max(spread, 0.0) / (n1 * n0)))
