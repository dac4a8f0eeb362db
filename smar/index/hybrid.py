"""Hybrid search: what the vectors find and what the words find, in one ranking.

Shapes: Q queries, K vectors a query, C candidates, N items, k results, D embedding length.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from tqdm import tqdm

from smar.artifacts import Manifest
from smar.index.ann import VectorIndex, gated_queries, index_directory
from smar.index.query_vectors import Found
from smar.index.words import WordIndex
from smar.models.encode import QueryEmbeddings

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
"""The shares of the words that `recall_by_share` tries."""

_DEPTH = 200  # candidates of each kind, at least
_WORDS = "words"


@dataclass(frozen=True)
class HybridIndex:
    """Items that can be searched by gated vectors and by words.

    `score(q, i) = (1 - w) Q(q) . [S_t ; S_m](i) + w BM25(q, i) / idf(q)`, in [-1, 1]: a convex
    combination (Bruch et al., 2023) of the gated similarity and of the share of the query's words
    that the item's text holds (`WordIndex`), for the k best by either.

    Args:
        vectors: The vector index.
        words: The word index over the same items.
        word_share: w, in [0, 1).
    """

    vectors: VectorIndex
    words: WordIndex
    word_share: float

    @classmethod
    def load(cls, path: Path) -> "HybridIndex":
        """Return the index of a directory artefact; one of before there were words has none.

        Raises:
            ArtifactError: If it is missing or damaged, or its parts do not belong together.
        """
        vectors = VectorIndex.load(path)
        num_items = len(vectors.item_ids)
        if "word_share" not in vectors.details:
            return cls(vectors, WordIndex.build([""] * num_items), 0.0)
        words = WordIndex.load(path / _WORDS, num_items)
        return cls(vectors, words, float(vectors.details["word_share"]))

    @property
    def item_ids(self) -> list[str]:
        """Ids, in the order of the rows, [N]."""
        return self.vectors.item_ids

    def search(self, texts: Sequence[str], encoded: QueryEmbeddings, k: int) -> Found:
        """Return scores in [-1, 1] and item rows, [Q, k] each, best first; row -1 means none.

        Args:
            texts: Normalised query texts, [Q].
            encoded: The same queries as the model sees them.
            k: Results per query, at least 1.

        Raises:
            DataError: If k is below 1 or the vectors have another length than the index.
        """
        queries = gated_queries(encoded.vector, encoded.gate)
        if not self.word_share or k < 1:  # below 1 the vector index refuses
            return self.vectors.search(queries, k)
        scores = np.full((len(texts), k), -np.inf, np.float32)
        rows = np.full((len(texts), k), -1, np.int64)
        for place, found in enumerate(self.candidates(texts, queries, k)):
            best_scores, best_rows = found.best(self.word_share, k)
            scores[place, : len(best_rows)] = best_scores
            rows[place, : len(best_rows)] = best_rows
        return scores, rows

    def candidates(
        self, texts: Sequence[str], queries: NDArray[np.float32], k: int
    ) -> Iterator["Candidates"]:
        """Yield the items worth ranking for each query: the best by vectors and by words.

        Args:
            texts: Normalised query texts, [Q].
            queries: Gated queries, [Q, 2 D] or [Q, K, 2 D].
            k: Results wanted; `max(k, 200)` items of each kind are candidates.
        """
        depth = min(max(k, _DEPTH), len(self.item_ids))
        nearest = self.vectors.search(queries, depth)[1]
        for text, query, near in zip(texts, queries, nearest, strict=True):
            shares = self.words.shares(text)
            rows = np.union1d(near[near >= 0], self.words.best(shares, depth))
            yield Candidates(rows, self.vectors.similarities(query, rows), shares[rows])


@dataclass(frozen=True)
class Candidates:
    """Items that may answer a query.

    Args:
        rows: Item rows, ascending, [C].
        similarity: Gated similarity of each, [C].
        words: Share of the query's words in each, [C].
    """

    rows: NDArray[np.int64]
    similarity: NDArray[np.float32]
    words: NDArray[np.float32]

    def best(self, word_share: float, k: int) -> Found:
        """Return hybrid scores and rows of the k best, best first, ties by row."""
        scores = (1 - word_share) * self.similarity + word_share * self.words
        order = np.lexsort((self.rows, -scores))[:k]
        return scores[order], self.rows[order]


def recall_by_share(
    index: HybridIndex,
    texts: Sequence[str],
    encoded: QueryEmbeddings,
    relevant: csr_matrix,
    k: int,
) -> dict[float, float]:
    """Return the mean recall@k of validation queries with each of `SHARES`.

    Args:
        index: The index; its own share does not matter.
        texts: Normalised query texts, [Q].
        encoded: The same queries as the model sees them.
        relevant: 1 where an item is relevant, at least once in every row, [Q, N].
        k: Results per query.
    """
    queries = gated_queries(encoded.vector, encoded.gate)
    found = index.candidates(texts, queries, k)
    bar = tqdm(found, desc="words", unit="query", total=len(texts), disable=None)
    recalls = np.zeros((len(texts), len(SHARES)))
    for query, candidates in enumerate(bar):
        wanted = relevant.indices[relevant.indptr[query] : relevant.indptr[query + 1]]
        for place, share in enumerate(SHARES):
            found_rows = candidates.best(share, k)[1]
            recalls[query, place] = np.isin(found_rows, wanted).sum() / len(wanted)
    return dict(zip(SHARES, recalls.mean(0).tolist(), strict=True))


def best_share(recalls: dict[float, float]) -> float:
    """Return the share with the highest recall, of equal ones the smallest."""
    return max(recalls, key=lambda share: (recalls[share], -share))


def write_index(path: Path, index: HybridIndex, manifest: Manifest) -> None:
    """Write an index as a directory artefact, whole or not at all."""
    manifest.details |= {"word_share": index.word_share}
    with index_directory(path, index.vectors, manifest) as folder:
        index.words.write(folder / _WORDS)
