"""Items that may answer a query, and the best of them by vectors and words together.

Shapes: C candidates, k results.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smar.index.postings import Shares
from smar.index.query_vectors import Found
from smar.index.words import LEAST

_ROUNDING = 1e-5  # of a share of the words in float32


@dataclass(frozen=True)
class Candidates:
    """Items that may answer a query.

    Args:
        rows: Item rows, none twice, [C].
        similarity: Gated similarity of each, [C].
        words: Share of the query's words in each, less what speaks against it, [C].
        farthest: No item beyond `rows` is more similar than this.
        least: No item beyond `rows` has a larger share of the query's words than this.
        reaching: Returns the rows of all items whose words have at least a share, and their shares,
            less what speaks against each.
        similarities: Returns the similarity of given rows.
    """

    rows: NDArray[np.int64]
    similarity: NDArray[np.float32]
    words: NDArray[np.float32]
    farthest: float
    least: float
    reaching: Callable[[float], Shares]
    similarities: Callable[[NDArray[np.int64]], NDArray[np.float32]]

    def best(self, word_share: float, k: int) -> Found:
        """Return hybrid scores and rows of the k best, best first, ties by row.

        Over an exact vector index they are the k best of all items (the threshold algorithm, Fagin
        et al., 2003): an item left out so far is at most `farthest` similar, so that only one whose
        words make up for that can be among them, and those are scored too. Where words exclude each
        other, fewer than k candidates may be left that nothing speaks against: then an item without
        a common word may be missed.
        """
        found = self._ranked(self.rows, self.similarity, self.words, word_share, k)
        more, words = self._further(word_share, found[0][-1] if len(found[0]) == k else -np.inf)
        if not len(more):
            return found
        return self._ranked(
            np.concatenate([self.rows, more]),
            np.concatenate([self.similarity, self.similarities(more)]),
            np.concatenate([self.words, words]),
            word_share,
            k,
        )

    def _further(self, word_share: float, least: float) -> Shares:
        """Return the rows left out whose words could bring them to a score of `least`."""
        nothing = np.empty(0, np.int64), np.empty(0, np.float32)
        if not word_share:
            return nothing
        needed = max((least - (1 - word_share) * self.farthest) / word_share - _ROUNDING, LEAST)
        if needed > self.least:
            return nothing
        rows, words = self.reaching(needed)
        is_new = others(np.sort(self.rows), rows)
        return rows[is_new], words[is_new]

    @staticmethod
    def _ranked(
        rows: NDArray[np.int64],
        similarity: NDArray[np.float32],
        words: NDArray[np.float32],
        word_share: float,
        k: int,
    ) -> Found:
        scores = (1 - word_share) * similarity + word_share * words
        if len(scores) > k:  # to sort a few takes a quarter of the time
            best = np.flatnonzero(scores >= np.partition(scores, -k)[-k])
            scores, rows = scores[best], rows[best]
        order = np.lexsort((rows, -scores))[:k]
        return scores[order], rows[order]


def others(rows: NDArray[np.int64], found: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the rows found are none of `rows`, ascending; faster than `isin` for few."""
    if not len(rows):
        return np.ones(len(found), np.bool_)
    places = rows.searchsorted(found)
    places[places == len(rows)] = 0
    return rows[places] != found
