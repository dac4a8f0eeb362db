"""The cheapest vector index that finds enough, measured against exact search.

Shapes: Q queries, N items, D embedding length; vectors in the index are 2 D long.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from smar.index.ann import METRIC, VectorIndex
from smar.index.compact import compact_candidates, cut_halves, is_compact, two_passes
from smar.index.exact import exact_search
from smar.index.settings import DEPTH, apply, as_deep_as, candidates
from smar.params import IndexParams

logger = logging.getLogger(__name__)

LEAST_CLUSTERED = 1000
"""Items that inverted lists of compact vectors are made of, at least."""


def build_index(
    vectors: NDArray[np.float32],
    item_ids: list[str],
    params: IndexParams,
    sample: Callable[[], NDArray[np.float32]],
) -> VectorIndex:
    """Return the cheapest index that reaches the recall target.

    Below `exact_below` items it is flat. Above, inverted lists of 4-bit product codes with exact
    refinement (`IVF,PQ,RFlat`) are tried, settings that cost less first; if none reaches the
    target, a graph (`HNSW`) is, and at last the flat index. Recall is that of the first
    `recall_at` results of a search as deep as searches are (`DEPTH`).

    With `dim` or `storage` it is of compact vectors, exhaustive below `exact_below`, and what it
    finds is scored again by whole ones: as many finds as the recall target takes, of those that
    can be chosen; the last where none reaches it, for what was asked for is built.

    Args:
        vectors: Item rows `[S_t ; S_m]`, [N, 2 D].
        item_ids: Ids, [N].
        params: The `index` section.
        sample: Returns query vectors to measure with, [Q, 2 D]; called for those that are measured.
    """
    if len(vectors) < params.exact_below and not is_compact(params):
        index = flat(vectors)
        reason = f"{len(vectors)} items, exact below {params.exact_below}"
        return _described(index, item_ids, "flat", {}, 1.0, params, reason)
    queries = sample()
    k = min(params.recall_at, len(vectors))
    if is_compact(params):
        return _compact(vectors, item_ids, params, queries, k)
    depth = min(max(k, DEPTH), len(vectors))
    truth = exact_search(queries, vectors, k)[1]
    best = 0.0
    for kind, build, settings in candidates(vectors):
        index, lists = build()
        for setting in settings:
            apply(index, setting)
            found = index.search(queries, depth, params=as_deep_as(setting, depth))[1]
            recall = recall_of(found[:, :k], truth)
            best = max(best, recall)
            logger.info("index: %s %s: recall@%d %.4f", kind, setting, k, recall)
            if recall >= params.recall_target:
                reason = f"the cheapest to reach recall@{k} {params.recall_target}"
                made = _described(index, item_ids, kind, setting, recall, params, reason)
                return replace(made, lists=lists)
    reason = f"no approximate index reached {params.recall_target} (best {best:.4f})"
    return _described(flat(vectors), item_ids, "flat", {}, 1.0, params, reason)


def _compact(
    vectors: NDArray[np.float32],
    item_ids: list[str],
    params: IndexParams,
    queries: NDArray[np.float32],
    k: int,
) -> VectorIndex:
    """Return the index of compact vectors over whole ones."""
    first = cut_halves(vectors, params.dim)
    is_small = len(vectors) < max(params.exact_below, LEAST_CLUSTERED)
    truth = exact_search(queries, vectors, k)[1]
    for kind, build, settings in compact_candidates(first, params.storage, is_exhaustive=is_small):
        index, lists = build()
        for setting in settings:
            apply(index, setting)
            found = two_passes(index, vectors, queries, k, settings=setting, length=params.dim)[1]
            recall = recall_of(found, truth)
            logger.info("index: %s %s: recall@%d %.4f", kind, setting, k, recall)
            if recall >= params.recall_target:
                break
        if recall >= params.recall_target:
            break
    has = "reaches" if recall >= params.recall_target else "does not reach"
    reason = f"asked for; {has} recall@{k} {params.recall_target}"
    made = _described(index, item_ids, kind, setting, recall, params, reason)
    compact = {"dim": params.dim, "storage": params.storage}
    details = made.details | {"dim": vectors.shape[1], "compact": compact}
    return replace(made, details=details, whole=flat(vectors), lists=lists)


def flat(vectors: NDArray[np.float32]) -> Any:
    """Return the exact index of item rows, [N, 2 D]."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


def recall_of(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Return the mean share of the true top k that was found."""
    shared = [len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True)]
    return float(np.mean(shared)) / truth.shape[1]


def _described(
    index: Any,
    item_ids: list[str],
    kind: str,
    settings: dict[str, int],
    recall: float,
    params: IndexParams,
    reason: str,
) -> VectorIndex:
    details = {
        "kind": kind,
        "settings": settings,
        "metric": METRIC,
        "dim": index.d,
        "recall": recall,
        "recall_at": params.recall_at,
        "reason": reason,
    }
    return VectorIndex(index, item_ids, details)
