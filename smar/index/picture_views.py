"""What pictures say of words: discriminants over the colours of their pixels and over S_i as well.

Plain colours tell a colour from a few items, S_i tells patterns and what it was trained for. Which
of them speaks for a word is decided by items that the fit has not seen.

Shapes: N items, n of some, W words, D embedding length, C colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from smar.index.discriminants import FOLDS, Discriminants, Kinds, Moments, auc_within
from smar.index.picture_colours import looks_of

ERRORS = 2.0
"""Standard errors by which something is clearly so."""

_COLOUR_RIDGE, _RIDGE = 1.0, 0.1  # of the mean variance, added to each; the latter of S_i
_FEW = 3  # items without a word that a category needs to say something


class Views:
    """What describes the items' pictures: the colours of their pixels, alone and beside S_i.

    Items whose pictures have the same colours are of one fold: what is fitted to one says nothing
    of how well it tells the other.

    Args:
        image: S_i, [N, D].
        colours: As `PictureColours.of_items`, [N, C]; C = 0 where they are not known.
        looks: What these colours are known by, [N]; None asks for it here.
    """

    def __init__(
        self,
        image: NDArray[np.float32],
        colours: NDArray[np.uint8],
        looks: NDArray[np.uint64] | None = None,
    ) -> None:
        self.image, self.colours = image, colours
        self.names = ("colours", "colours and S_i") if colours.shape[1] else ("S_i",)
        some, end = colours.shape[1], colours.shape[1] + image.shape[1]
        self.columns = (slice(0, some), slice(0, end)) if some else (slice(0, end),)
        self.ridge = np.repeat([_COLOUR_RIDGE, _RIDGE], [some, end - some])
        known = looks_of(colours if some else image) if looks is None or not some else looks
        self.folds = (known % np.uint64(FOLDS)).astype(np.int64)

    def of(self, rows: NDArray[np.int64], view: int = -1) -> NDArray[np.float64]:
        """Return what describes some items, [n, C + D], or what of it a view looks at."""
        colours = self.colours[rows] / 255.0
        if self.columns[view].stop == colours.shape[1]:
            return colours
        return np.hstack([colours, self.image[rows]])


@dataclass(frozen=True)
class Learned:
    """What was learned of words from some of the items' pictures.

    Args:
        views: What describes the pictures; each view is a discriminant of its own.
        fits: For each view one for each fold, fitted to the items of the others.
        view: Which view tells each word best, [W].
        auc: How well, [W].
        error: The standard error of that, [W].
        level: Mean probability where it is told, [W].
    """

    views: Views
    fits: Sequence[Sequence[Discriminants]]
    view: NDArray[np.int64]
    auc: NDArray[np.float64]
    error: NDArray[np.float64]
    level: NDArray[np.float64]

    def probability(self, rows: NDArray[np.int64], words: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probabilities that items are told of words by their best view, [n, W]."""
        found = np.zeros((len(rows), len(words)))
        widest = int(self.view[words].max(initial=0))
        described, folds = self.views.of(rows, widest), self.views.folds[rows]
        for view, columns in enumerate(self.views.columns):
            chosen = np.flatnonzero(self.view[words] == view)
            for fold in np.unique(folds) if len(chosen) else ():
                here = np.flatnonzero(folds == fold)
                fit = self.fits[view][fold]
                part = fit.probability(described[here, columns], words[chosen])
                found[np.ix_(here, chosen)] = part
        return found


def learned_of(
    views: Views, rows: NDArray[np.int64], told: csr_matrix, categories: NDArray[np.int64]
) -> Learned:
    """Return what items say of words: some of the rows, and what all are told of, [N, W]."""
    parts = [rows[views.folds[rows] == fold] for fold in range(FOLDS)]
    described = [views.of(part) for part in parts]
    moments = [Moments.of(*each) for each in zip(described, (told[p] for p in parts), strict=True)]
    whole = Moments.all_of(moments)
    fits = [
        [Discriminants.of(whole.without(each), columns, views.ridge) for each in moments]
        for columns in views.columns
    ]
    in_order = np.concatenate(parts)
    kinds = Kinds.of(categories[in_order])
    is_told = (told[in_order] > 0).tocsc()
    is_told.sort_indices()
    items, starts = is_told.indices.astype(np.int64), is_told.indptr  # with each word
    has = [items[start:end] for start, end in pairwise(starts)]
    word_of = np.repeat(np.arange(len(has)), np.diff(starts))
    found = np.zeros((3, len(views.columns), len(has)))  # AUC, its error, level
    probability = np.empty((len(in_order), len(has)))
    for view, columns in enumerate(views.columns):
        pairs = zip(fits[view], described, strict=True)
        np.concatenate([fit.probability(own[:, columns]) for fit, own in pairs], out=probability)
        found[2, view] = np.bincount(word_of, probability[items, word_of], len(has))
        for word, own in enumerate(has):
            found[:2, view, word] = auc_within(probability[:, word], own, kinds, _FEW)
    found[2] /= np.maximum(np.diff(starts), 1)
    best = _best(found[0], found[1])
    auc, error, level = found[:, best, np.arange(len(best))]
    return Learned(views, fits, best, auc, error, np.maximum(level, np.finfo(float).tiny))


def _best(auc: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the view that tells each word best: the first, unless a later one clearly does."""
    best = np.zeros(auc.shape[1], np.int64)
    for view in range(1, len(auc)):
        gain = auc[view] - auc[best, np.arange(len(best))]
        best[gain > ERRORS * error[view]] = view
    return best
