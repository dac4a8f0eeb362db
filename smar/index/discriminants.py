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
        odds = described @ self.lines[:, words] + self.offsets[words]
        return 1 / (1 + np.exp(-np.clip(odds, -50, 50)))


def _added(variance: NDArray[np.float64], ridge: NDArray[np.float64]) -> NDArray[np.float64]:
    added = np.empty_like(variance)
    for each in np.unique(ridge):
        has = ridge == each
        added[has] = each * max(variance[has].mean(), _LEAST_VARIANCE)
    return added


def auc_within(
    score: NDArray[np.float64], is_told: NDArray[np.bool_], categories: NDArray[np.int64], few: int
) -> tuple[float, float]:
    """Return the AUC within categories, weighted by the items that are told of, and its error.

    The error is the standard one of Hanley and McNeil (1982), as if the categories were one.

    Args:
        score: Of each item, [n].
        is_told: Whether it has the word, [n].
        categories: Numbers, [n].
        few: Items without the word that a category needs to say something, one with it.

    Returns:
        0 and 0 where no category says anything.
    """
    says = np.bincount(categories, is_told)[categories] > 0  # of a rare word few categories do
    score, is_told, categories = score[says], is_told[says], categories[says]
    order = ordered(score, categories)
    of, told = categories[order], is_told[order].astype(np.float64)
    size = np.bincount(of)
    place = np.arange(len(of)) - np.repeat(np.cumsum(size) - size, size)
    with_word = np.bincount(of, told)
    above = np.bincount(of, told * place) - with_word * (with_word - 1) / 2
    without = size - with_word
    is_enough = (with_word >= 1) & (without >= few)
    if not is_enough.any():
        return 0.0, 0.0
    n1, n0 = with_word[is_enough].sum(), without[is_enough].sum()
    auc = float((above[is_enough] / without[is_enough]).sum() / n1)
    first, second = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (n1 - 1) * (first - auc**2) + (n0 - 1) * (second - auc**2)
    return auc, float(np.sqrt(max(spread, 0.0) / (n1 * n0)))
