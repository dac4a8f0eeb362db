"""Whether embeddings and index hold what the catalogue holds, and find what is there."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from smar.index.ann import VectorIndex, gated_items, gated_queries
from smar.index.exact import exact_search
from smar.index.store import EmbeddingStore


def missing_items(catalogue: Sequence[str], held: Sequence[str]) -> list[str]:
    """Return the item ids of a catalogue that embeddings or an index do not hold, sorted."""
    return sorted(set(catalogue) - set(held))


def index_recall(
    index: VectorIndex, store: EmbeddingStore, k: int, sample: int, rng: np.random.Generator
) -> float:
    """Return the mean share of the true k best that the index finds.

    The queries are items' own multimodal vectors at gate 1/2, so that no model is needed.

    Args:
        index: The index.
        store: The embeddings it was built from.
        k: Results per query.
        sample: Number of queries.
        rng: Draws them.
    """
    rows = rng.choice(len(store.item_ids), min(sample, len(store.item_ids)), replace=False)
    vectors: NDArray[np.float32] = np.array(store.multimodal[rows])
    queries = gated_queries(vectors, np.full(len(rows), 0.5, np.float32))
    k = min(k, len(store.item_ids))
    found = index.search(queries, k)[1]
    truth = exact_search(queries, gated_items(store.text, store.multimodal), k)[1]
    shared = [len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True)]
    return float(np.mean(shared)) / k
