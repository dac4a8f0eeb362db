"""What is chosen when items are indexed: how much the words of an item count.

Shapes: Q queries, K vectors a query, N items, D embedding length.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from smar.index.ann import gated_queries
from smar.index.hybrid import SHARES, HybridIndex, recall_by_share, safest_share
from smar.judging.runs import QuerySet
from smar.models.embeddings import QueryEmbeddings
from smar.seeding import generator

Encode = Callable[[list[str]], QueryEmbeddings]

_MOST_QUERIES = 2000  # that the words' share is chosen by


def choose_word_share(
    index: HybridIndex, chosen_by: QuerySet, encode: Encode, k: int, seed: int
) -> tuple[HybridIndex, dict[float, float]]:
    """Return the index with the largest share of words that loses nothing, and recall@k by share.

    Without a query to choose by the index stays as it is and no recall is returned.

    Args:
        index: The index; its own share does not matter.
        chosen_by: Queries that nothing is reported of; at most 2,000 of them are searched.
        encode: Returns queries as the model sees them.
        k: Results per query.
        seed: Draws the queries.
    """
    rows = generator(seed, "words").permutation(len(chosen_by))[:_MOST_QUERIES]
    if not len(rows):
        return index, {}
    texts = [chosen_by.texts[row] for row in rows]
    recalls = recall_by_share(index, texts, encode(texts), chosen_by.relevant[rows], k)
    means = dict(zip(SHARES, recalls.mean(0).tolist(), strict=True))
    return replace(index, word_share=safest_share(recalls)), means


def draw_queries(
    texts: NDArray[np.object_],
    vectors: NDArray[np.float32],
    encode: Encode,
    size: int,
    seed: int,
) -> NDArray[np.float32]:
    """Return vectors to measure an index with: real queries, else items' own at gate 1/2.

    Args:
        texts: Query texts, [Q], of which `size` are drawn.
        vectors: Item rows `[S_t ; S_m]`, [N, 2 D], drawn from where there is no query.
        encode: Returns queries as the model sees them.
        size: How many are drawn; a query with K vectors gives K rows, each a search.
        seed: Draws them.
    """
    rng = generator(seed, "index")
    if len(texts):
        encoded = encode(list(rng.choice(texts, min(size, len(texts)), replace=False)))
        gated = gated_queries(encoded.vector, encoded.gate)
        return gated.reshape(-1, gated.shape[-1])
    rows = rng.choice(len(vectors), min(size, len(vectors)), replace=False)
    return np.asarray(vectors[rows] / 2, np.float32)
