"""Queries as any engine can search them: a dense and a sparse vector, and their shares.

    score(q, i) = (1 - w) vector(q) . [S_t ; S_m](i) + words(q) . words(i)

Shapes: Q queries, K vectors a query, D embedding length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smar.data.schema import normalize_query
from smar.index.ann import gated_queries
from smar.index.hybrid import HybridIndex
from smar.index.sought import Sought, Without
from smar.models.embeddings import QueryEmbeddings


@dataclass(frozen=True)
class EncodedQuery:
    """A query outside of smar.

    Args:
        query: The normalised text that vector and words are of: what is misspelled is mended, and
            what is not wanted is another matter.
        vector: `[(1-g) Q ; g Q]`, float32 [2 D]; [K, 2 D] of K vectors, the best of which counts.
        gate: g, in [0, 1].
        word_share: w, in [0, 1).
        words: Weight of each word that an item has: w over the idf of all the query's words.
        left_out: What is not wanted, as the query writes it.
        without: The items that are left out for it, by the words that they have.
    """

    query: str
    vector: NDArray[np.float32]
    gate: float
    word_share: float
    words: dict[str, float]
    left_out: tuple[str, ...] = ()
    without: tuple[Without, ...] = ()

    def as_dict(self, columns: dict[str, int]) -> dict[str, Any]:
        """Return it for JSON, but for the query as it was typed.

        Args:
            columns: Number of each word, as the items' sparse vectors have it.
        """
        vectors = 1 - self.word_share
        return {
            "searched": self.query,
            "left_out": list(self.left_out),
            "without": [{"words": each.words, "unless": each.unless} for each in self.without],
            "vector": self.vector,
            "gate": self.gate,
            "shares": {
                "text": vectors * (1 - self.gate),
                "picture": vectors * self.gate,
                "words": self.word_share,
            },
            "words": self.words,
            "word_ids": [columns[word] for word in self.words],
            "word_weights": list(self.words.values()),
        }


def encoded(
    index: HybridIndex, queries: Sequence[Sought], embeddings: QueryEmbeddings
) -> list[EncodedQuery]:
    """Return queries as engines search them.

    Args:
        index: Knows the words and their share.
        queries: What is searched for each query, [Q].
        embeddings: Their texts as the model sees them.
    """
    vectors = gated_queries(embeddings.vector, embeddings.gate)
    weights_of = index.words.query_weights
    return [
        EncodedQuery(
            query=sought.text,
            vector=vector,
            gate=float(gate),
            word_share=(share := index.share_of(sought.text)),
            words={
                word: share * weight
                for word, weight in (weights_of(sought.text) if share else {}).items()
            },
            left_out=sought.left_out,
            without=sought.without,
        )
        for sought, vector, gate in zip(queries, vectors, embeddings.gate, strict=True)
    ]


def normalized(lines: Sequence[str]) -> list[str]:
    """Return the normalised texts of raw queries, "" for one without text."""
    return [normalize_query(line) for line in lines]
