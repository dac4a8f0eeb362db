"""Words that items have by more than their texts, and what several that tell one count together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClickWord:
    """A word that items have by the searches that led to them.

    Args:
        word: In the form of `word_forms`.
        rows: Items whose text lacks it, ascending.
        weights: What it counts in each, > 0.
        most: What it counts at most in an item whose pictures tell it too.
    """

    word: str
    rows: NDArray[np.int32]
    weights: NDArray[np.float32]
    most: float


def beside(
    rows: NDArray[np.int32], weights: NDArray[np.float32], clicked: ClickWord | None
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return a word's items by their pictures, and what it counts beside what clicks tell."""
    if clicked is None:
        return rows, weights
    place = np.minimum(np.searchsorted(clicked.rows, rows), len(clicked.rows) - 1)
    known = np.where(clicked.rows[place] == rows, clicked.weights[place], 0)
    left = np.where(known > 0, np.minimum(weights, clicked.most - known), weights)
    kept = left > 0
    return rows[kept], left[kept].astype(np.float32)
