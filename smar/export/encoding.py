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
from smar.models.embeddings import QueryEmbeddings


@dataclass(frozen=True)
class EncodedQuery:
    """A query outside of smar.

    Args:
        query: Its normalised text, with what is misspelled mended.
        vector: `[(1-g) Q ; g Q]`, float32 [2 D]; [K, 2 D] of K vectors, the best of which counts.
        gate: g, in [0, 1].
        word_share: w, in [0, 1).
        words: Weight of each word that an item has: w over the idf of all the query's words.
    """

    query: str
    vector: NDArray[np.float32]
    gate: float
    word_share: float
    words: dict[str, float]

    def as_dict(self, columns: dict[str, int]) -> dict[str, Any]:
        """Return it for JSON; `columns` numbers the words as the items' sparse vectors do."""
        vectors = 1 - self.word_share
        return {
            "query": self.query,
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
    index: HybridIndex, texts: Sequence[str], embeddings: QueryEmbeddings
) -> list[EncodedQuery]:
    """Return queries as engines search them.

    Args:
        index: Knows the words and their share.
        texts: Query texts as `HybridIndex.read` gives them, [Q].
        embeddings: The same queries as the model sees them.
    """
    vectors = gated_queries(embeddings.vector, embeddings.gate)
    return [
        EncodedQuery(
            query=text,
            vector=vector,
            gate=float(gate),
            word_share=(share := index.share_of(text)),
            words={
                word: share * weight
                for word, weight in (index.words.query_weights(text) if share else {}).items()
            },
        )
        for text, vector, gate in zip(texts, vectors, embeddings.gate, strict=True)
    ]


def normalized(lines: Sequence[str]) -> list[str]:
    """Return the normalised texts of raw queries, "" for one without text."""
    return [normalize_query(line) for line in lines]
