"""The index of items of which few changed, with the lists, settings and shares of before.

Shapes: N items, D embedding length; vectors in the index are 2 D long.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from smar.content_keys import KeyTable
from smar.index.ann import VectorIndex
from smar.index.bests import ExactSearch
from smar.index.building import LEAST_CLUSTERED, build_index
from smar.index.compact import compact_candidates, cut_halves, is_compact
from smar.index.hybrid import HybridIndex
from smar.index.kept import Fit
from smar.index.layout import Layout
from smar.index.lists import built
from smar.index.relevance import Calibration
from smar.index.settings import DEPTH, candidates
from smar.index.shard import Shard
from smar.index.spelling import Spelling
from smar.index.unseen import UnseenWords
from smar.index.words import WordIndex
from smar.index.yardstick import Yardstick
from smar.params import IndexParams

logger = logging.getLogger(__name__)


def updated_index(
    vectors: NDArray[np.float32],
    item_ids: list[str],
    keys: NDArray[np.uint64],
    params: IndexParams,
    fit: Fit,
    layout: Layout,
    exact: ExactSearch | None = None,
) -> VectorIndex | None:
    """Return the index with the lists that were trained before, None where it has to be built anew.

    Items that changed are put into their lists, and the settings of before are measured again with
    the same queries; where they miss the recall target now, dearer ones are taken. It is built anew
    where none of them reaches it, where a catalogue of its size has other lists or none, and where
    it is a graph, which Faiss cannot take items from.

    Args:
        vectors: Item rows `[S_t ; S_m]`, [N, 2 D].
        item_ids: Ids, [N].
        keys: What the rows are known by, [N, 2].
        params: The `index` section.
        fit: What an earlier run fitted with the same settings.
        layout: Which items lie together, and who finds the lists of those that changed.
        exact: Exact search in these vectors, if some is at hand.
    """
    if len(vectors) < params.exact_below and not is_compact(params):
        return build_index(vectors, item_ids, params, lambda: fit.sample, layout)
    first = cut_halves(vectors, params.dim)
    settings = _settings(first, params, fit, layout)
    if fit.lists is None or not settings:
        return None
    lists = fit.lists.changed(first, KeyTable(fit.keys).rows_of(keys), layout)
    whole = built("Flat", vectors, layout).indexes if is_compact(params) else None
    parts = zip(layout.rows, whole or [None] * layout.count, strict=True)
    shards = [Shard(lists.filled(first, rows), rows, exact) for rows, exact in parts]
    index = VectorIndex(shards, item_ids, dict(fit.details), layout, lists)
    k = min(params.recall_at, len(vectors))
    depth = k if is_compact(params) else min(max(k, DEPTH), len(vectors))
    yardstick = Yardstick.of(fit.sample, vectors, params.sample_queries, k, exact)
    least = min(params.recall_target, fit.details["recall"])  # what was asked for may not reach it
    for setting in settings:
        index.set(setting)
        recall = yardstick.recall(lambda queries: index.search(queries, depth)[1])
        logger.info("index: lists of before, %s: recall@%d %.4f", setting, k, recall)
        if recall >= least:
            return replace(index, details=index.details | {"recall": recall})
    return None


def _settings(
    vectors: NDArray[np.float32], params: IndexParams, fit: Fit, layout: Layout
) -> list[dict[str, int]]:
    """Return the settings of before and dearer ones, none where another kind would be built."""
    is_small = len(vectors) < max(params.exact_below, LEAST_CLUSTERED)
    for kind, _, settings in (
        compact_candidates(vectors, params.storage, layout, is_exhaustive=is_small)
        if is_compact(params)
        else candidates(vectors, layout)
    ):
        if kind == fit.details["kind"] and fit.details["settings"] in settings:
            return settings[settings.index(fit.details["settings"]) :]
    return []


def as_fitted(
    fit: Fit,
    vectors: VectorIndex,
    words: WordIndex,
    spelling: Spelling | None,
    trained: Sequence[str],
) -> HybridIndex:
    """Return the index of vectors and words with the shares and relevance that were fitted.

    Args:
        fit: What was fitted.
        vectors: The vector index.
        words: The word index over the same items.
        spelling: What queries are read by.
        trained: The queries that the model was trained on.
    """
    share = fit.unseen_share
    unseen = None if share is None else UnseenWords.of(words, trained, share)
    relevance = Calibration.read(fit.relevance)
    return HybridIndex(vectors, words, fit.word_share, relevance, unseen, spelling)
