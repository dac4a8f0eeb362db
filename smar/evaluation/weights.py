"""How much text, picture and words count over a query set, and the words that decide it.

Shapes: Q queries.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from smar.index.hybrid import HybridIndex
from smar.index.reasons import reasons_of
from smar.judging.runs import QuerySet
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_queries

_MOST_QUERIES = 500  # that the words are read off; each is encoded once more for each of its words
_LEAST_QUERIES = 2  # with a word: one says as much about its other words
_SHOWN = 10  # words of each kind


@dataclass(frozen=True)
class Weights:
    """What counted.

    Args:
        shares: Text, picture and words of each query, adding up to 1, [Q, 3].
        words: Words with the mean of what they say for the picture, in log-odds, and how many
            queries have them; first those that say most for it, then those against it.
    """

    shares: NDArray[np.float64]
    words: Sequence[tuple[str, float, int]]

    def by_slice(self, slices: Mapping[str, NDArray[np.bool_]]) -> list[tuple[str, list[float]]]:
        """Return the mean shares of all queries and of each slice that has any."""
        masks = {"all": np.ones(len(self.shares), bool), **slices}
        return [(n, self.shares[m].mean(0).tolist()) for n, m in masks.items() if m.any()]


def weights_of(
    index: HybridIndex, model: DualEncoder, queries: QuerySet, gate: NDArray[np.float32]
) -> Weights:
    """Return what counts for the queries of a set; words are read off the first 500.

    Args:
        index: The index.
        model: Encodes queries.
        queries: The queries.
        gate: P(q) of each, [Q].
    """
    texts = [index.sought(text).text for text in index.read(queries.texts)]
    words = np.array([index.share_of(text) for text in texts])
    picture = gate.astype(np.float64)
    shares = np.column_stack([(1 - words) * (1 - picture), (1 - words) * picture, words])
    read = [text for text in texts if text.split()][:_MOST_QUERIES]
    said: dict[str, list[float]] = defaultdict(list)
    for of_query in reasons_of(index, read, partial(encode_queries, model)):
        for one in of_query:
            said[one.word].append(one.picture)
    means = [
        (word, float(np.mean(told)), len(told))
        for word, told in said.items()
        if len(told) >= _LEAST_QUERIES
    ]
    means.sort(key=lambda one: (-one[1], one[0]))
    speak = [one for one in means if one[1] > 0][:_SHOWN]
    against = [one for one in means if one[1] < 0][-_SHOWN:]
    return Weights(shares, [*speak, *against])
