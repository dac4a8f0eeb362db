"""Why items were found: the parts of their scores, and where each retriever puts them.

Shapes: N items, C allowed, k rows, K vectors a query, D embedding length.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smar.index.allowed import Allowed
from smar.index.ann import gated_queries
from smar.index.hybrid import HybridIndex
from smar.models.embeddings import QueryEmbeddings

_BLOCK = 16_384  # rows scored at once: what a block holds stays in the cache


@dataclass(frozen=True)
class Parts:
    """What the scores of some items are made of; text, picture and words add up to them.

    Args:
        text: (1-w) (1-g) Q . S_t, [k].
        picture: (1-w) g Q . S_m, [k].
        words: w BM25 / idf, less what speaks against the item, [k].
        similarity: What vectors alone score, [k].
        by_vectors: Rank by it among the allowed items, from 1, [k].
        share: What words alone score, [k].
        by_words: Rank by it, 0 without a common word, [k].
        matched: The words of the query that each item's text has.
        pictured: Those that its text leaves out and its pictures tell.
        searched: Those that its text leaves out and searches used that led to it.
        excluded: Those that speak against it, for its own words exclude them (`ExclusiveWords`).
    """

    text: NDArray[np.float64]
    picture: NDArray[np.float64]
    words: NDArray[np.float64]
    similarity: NDArray[np.float64]
    by_vectors: NDArray[np.int64]
    share: NDArray[np.float64]
    by_words: NDArray[np.int64]
    matched: list[list[str]]
    pictured: list[list[str]]
    searched: list[list[str]]
    excluded: list[list[str]]


def explain(
    index: HybridIndex,
    text: str,
    encoded: QueryEmbeddings,
    rows: NDArray[np.int64],
    allowed: Allowed | None,
) -> Parts:
    """Return why some items are found by a query, which scores every allowed item once.

    Args:
        index: The index.
        text: The normalised query.
        encoded: The query as the model sees it, Q = 1.
        rows: The items, [k].
        allowed: The items that may be found, None for all.
    """
    weight = index.share_of(text)
    query = np.atleast_2d(gated_queries(encoded.vector, encoded.gate)[0])  # [K, 2 D]
    stored = index.vectors.gathered(rows)
    half = stored.shape[1] // 2
    by_vector = stored.astype(np.float64) @ query.T  # [k, K]
    best = query[by_vector.argmax(1)] * stored  # [k, 2 D]
    similarity = index.vectors.similarities(query, rows)
    shares, held = index.word_scores(text), index.words.shares_of(text, rows)
    mask = slice(None) if allowed is None else allowed.mask
    return Parts(
        text=(1 - weight) * best[:, :half].sum(1, dtype=np.float64),
        picture=(1 - weight) * best[:, half:].sum(1, dtype=np.float64),
        words=weight * shares[rows].astype(np.float64),
        similarity=similarity.astype(np.float64),
        by_vectors=_ranks(_all_similarities(index, query)[mask], similarity),
        share=shares[rows].astype(np.float64),
        by_words=np.where(held > 0, _ranks(shares[mask], shares[rows]), 0),
        matched=index.words.matched(text, rows),
        pictured=index.words.pictured(text, rows),
        searched=index.words.searched(text, rows),
        excluded=index.excluded(text, rows),
    )


def _all_similarities(index: HybridIndex, query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the similarity of every item, [N], to a query [K, 2 D], as `similarities` gives it."""
    size = len(index.item_ids)
    blocks = [
        index.vectors.similarities(query, slice(start, start + _BLOCK))
        for start in range(0, size, _BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.empty(0, np.float32)


def _ranks(scores: NDArray[np.float32], of: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the rank from 1 of some scores among others; equals share the best of theirs."""
    ascending = np.sort(scores)
    return len(scores) - np.searchsorted(ascending, of, side="right") + 1
