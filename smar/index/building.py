"""The cheapest vector index that finds enough, measured against exact search.

Shapes: Q queries, N items, D embedding length; vectors in the index are 2 D long.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smar.index.ann import METRIC, VectorIndex
from smar.index.bests import ExactSearch
from smar.index.compact import compact_candidates, cut_halves, is_compact
from smar.index.layout import Layout
from smar.index.lists import Built, built
from smar.index.settings import DEPTH, candidates
from smar.index.shard import Shard
from smar.index.yardstick import Yardstick
from smar.params import IndexParams

logger = logging.getLogger(__name__)

_FLAT = "Flat"
LEAST_CLUSTERED = 1000
"""Items that inverted lists of compact vectors are made of, at least."""


def build_index(
    vectors: NDArray[np.float32],
    item_ids: list[str],
    params: IndexParams,
    sample: Callable[[], NDArray[np.float32]],
    layout: Layout | None = None,
    exact: ExactSearch | None = None,
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
        layout: Which items lie together, and who finds their lists; None: all, this process.
        exact: Exact search in these vectors, if some is at hand.
    """
    making = _Making(vectors, item_ids, params, layout or Layout())
    if len(vectors) < params.exact_below and not is_compact(params):
        return making.exact(f"{len(vectors)} items, exact below {params.exact_below}")
    k = min(params.recall_at, len(vectors))
    yardstick = Yardstick.of(sample(), vectors, params.sample_queries, k, exact)
    if is_compact(params):
        return _compact(making, yardstick, k)
    depth = min(max(k, DEPTH), len(vectors))
    best = 0.0
    for kind, build, settings in candidates(vectors, making.layout):
        index = making.of(kind, build())
        for setting in settings:
            index.set(setting)
            recall = yardstick.recall(partial(_rows, index, depth))
            best = max(best, recall)
            logger.info("index: %s %s: recall@%d %.4f", kind, setting, k, recall)
            if recall >= params.recall_target:
                reason = f"the cheapest to reach recall@{k} {params.recall_target}"
                return replace(index, details=making.told(kind, setting, recall, reason))
    return making.exact(f"no approximate index reached {params.recall_target} (best {best:.4f})")


def _compact(making: "_Making", yardstick: Yardstick, k: int) -> VectorIndex:
    """Return the index of compact vectors over whole ones."""
    vectors, params, layout = making.vectors, making.params, making.layout
    first = cut_halves(vectors, params.dim)
    compact = {"dim": params.dim, "storage": params.storage}
    is_small = len(vectors) < max(params.exact_below, LEAST_CLUSTERED)
    whole = built(_FLAT, vectors, layout).indexes
    for kind, build, settings in compact_candidates(
        first, params.storage, layout, is_exhaustive=is_small
    ):
        index = making.of(kind, build(), whole, {"compact": compact})
        for setting in settings:
            index.set(setting)
            recall = yardstick.recall(partial(_rows, index, k))
            logger.info("index: %s %s: recall@%d %.4f", kind, setting, k, recall)
            if recall >= params.recall_target:
                break
        if recall >= params.recall_target:
            break
    has = "reaches" if recall >= params.recall_target else "does not reach"
    reason = f"asked for; {has} recall@{k} {params.recall_target}"
    told = making.told(kind, setting, recall, reason) | {"compact": compact}
    return replace(index, details=told)


def _rows(index: VectorIndex, depth: int, queries: NDArray[np.float32]) -> NDArray[np.int64]:
    return index.search(queries, depth)[1]


@dataclass(frozen=True)
class _Making:
    """An index that is being made; the arguments are those of `build_index`."""

    vectors: NDArray[np.float32]
    item_ids: list[str]
    params: IndexParams
    layout: Layout

    def of(
        self,
        kind: str,
        made: Built,
        whole: Sequence[Any] | None = None,
        details: dict[str, Any] | None = None,
    ) -> VectorIndex:
        """Return the index of what was built."""
        rows = self.layout.rows
        parts = zip(made.indexes, rows, whole or [None] * len(rows), strict=True)
        shards = [Shard(*part) for part in parts]
        told = {"kind": kind} | (details or {})
        return VectorIndex(shards, self.item_ids, told, self.layout, made.lists)

    def exact(self, reason: str) -> VectorIndex:
        """Return the exact index."""
        index = self.of("flat", built(_FLAT, self.vectors, self.layout))
        return replace(index, details=self.told("flat", {}, 1.0, reason))

    def told(
        self, kind: str, settings: dict[str, int], recall: float, reason: str
    ) -> dict[str, Any]:
        """Return how an index was built and what was measured."""
        return {
            "kind": kind,
            "settings": settings,
            "metric": METRIC,
            "dim": self.vectors.shape[1],
            "recall": recall,
            "recall_at": self.params.recall_at,
            "reason": reason,
        }
