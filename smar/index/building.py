"""The cheapest vector index that finds enough, measured against exact search.

Shapes: Q queries, N items, D embedding length; vectors in the index are 2 D long.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from smar.index.ann import METRIC, VectorIndex
from smar.index.compact import compact_candidates, cut_halves, is_compact, two_passes
from smar.index.settings import DEPTH, apply, as_deep_as, candidates
from smar.index.yardstick import Yardstick
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
    `recall_at` results of a search as deep as searches are (`DEPTH`), of queries or of items as
    queries, whichever is worse.

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
    k = min(params.recall_at, len(vectors))
    yardstick = Yardstick.of(sample(), vectors, params.sample_queries, k)
    if is_compact(params):
        return _compact(vectors, item_ids, params, yardstick, k)
    depth = min(max(k, DEPTH), len(vectors))
    best = 0.0
    for kind, build, settings in candidates(vectors):
        index, lists = build()
        for setting in settings:
            apply(index, setting)
            recall = yardstick.recall(partial(_rows, index, setting, depth))
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
    yardstick: Yardstick,
    k: int,
) -> VectorIndex:
    """Return the index of compact vectors over whole ones."""
    first = cut_halves(vectors, params.dim)
    is_small = len(vectors) < max(params.exact_below, LEAST_CLUSTERED)
    for kind, build, settings in compact_candidates(first, params.storage, is_exhaustive=is_small):
        index, lists = build()
        for setting in settings:
            apply(index, setting)
            recall = yardstick.recall(partial(_rescored, index, vectors, k, setting, params.dim))
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


def _rows(
    index: Any, setting: dict[str, int], depth: int, queries: NDArray[np.float32]
) -> NDArray[np.int64]:
    found: NDArray[np.int64] = index.search(queries, depth, params=as_deep_as(setting, depth))[1]
    return found


def _rescored(
    index: Any,
    vectors: NDArray[np.float32],
    k: int,
    setting: dict[str, int],
    length: int,
    queries: NDArray[np.float32],
) -> NDArray[np.int64]:
    return two_passes(index, vectors, queries, k, settings=setting, length=length)[1]


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
