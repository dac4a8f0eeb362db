"""The index of items of which few changed, with the lists, settings and shares of before.

Shapes: N items, D embedding length; vectors in the index are 2 D long.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from smar.content_keys import KeyTable
from smar.index import row_file
from smar.index.ann import VectorIndex
from smar.index.bests import ExactSearch
from smar.index.building import LEAST_CLUSTERED, build_index
from smar.index.compact import compact_candidates, cut_halves, is_compact
from smar.index.exclusive_words import ExclusiveWords
from smar.index.hybrid import HybridIndex
from smar.index.item_rows import EarlierRows, ItemRows
from smar.index.kept_parts import Fit
from smar.index.kept_shards import KeptShards, key_of_one
from smar.index.layout import Layout
from smar.index.lists import Lists, built
from smar.index.relevance import Calibration
from smar.index.row_file import RowFile
from smar.index.settings import DEPTH, candidates
from smar.index.shard import Shard
from smar.index.spelling import Spelling
from smar.index.unseen import UnseenWords
from smar.index.words import WordIndex
from smar.index.yardstick import Yardstick
from smar.params import IndexParams
from smar.scratch import written

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Files:
    """Where the file of an index of one shard comes from that need not go through memory.

    Args:
        kept: Files of an earlier run.
        how: What stands for the way in which an index is fitted.
        folder: Where there is room for a file without a name.
    """

    kept: KeptShards
    how: str
    folder: Path

    def earlier(self, fit: Fit, places: NDArray[np.int64]) -> EarlierRows | None:
        """Return the item rows that were fitted to, None where they are not at hand.

        Args:
            fit: What was fitted.
            places: Where each item was then, -1 for one that is new, [N].
        """
        if (file := self._of(fit, fit.keys)) is None:
            return None
        shard = Shard(_mapped(file))
        return EarlierRows(shard.vectors, fit.keys, places, held_by=shard)

    def index(
        self, lists: Lists, rows: ItemRows, fit: Fit, keys: NDArray[np.uint64]
    ) -> tuple[Any, RowFile | None]:
        """Return the Faiss index of item rows, and its file if that is a new one.

        Args:
            lists: Where the lists have the rows.
            rows: The item rows, [N, 2 D].
            fit: What was fitted; the file has its settings.
            keys: What the rows are known by, [N, 2].
        """
        if file := self._of(fit, keys):
            return _mapped(file), None
        made = row_file.written(lists, rows, fit.details["settings"], self.folder)
        if made is not None:
            return made.index(), made
        return lists.filled(written(self.folder, np.float32, rows.blocks())), None

    def _of(self, fit: Fit, keys: NDArray[np.uint64]) -> Path | None:
        if fit.lists is None:
            return None
        return self.kept.file_of(key_of_one(fit.details, fit.lists, keys, self.how))


def _mapped(file: Path) -> Any:
    """Return the Faiss index of a file that is going to be read all over, its vectors mapped."""
    with file.open("rb") as opened:
        row_file.ask_for(opened.fileno())
    return faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC)


@dataclass(frozen=True)
class Updated:
    """An index of which few items changed.

    Args:
        index: The index.
        file: That of its only shard, with the settings of before; None where none was written.
    """

    index: VectorIndex
    file: RowFile | None = None


def is_in_parts(rows: ItemRows, params: IndexParams, layout: Layout) -> bool:
    """Return whether an index may be updated by item rows that are not put side by side."""
    return layout.is_one and len(rows) >= params.exact_below and not is_compact(params)


def updated_index(
    vectors: NDArray[np.float32] | ItemRows,
    item_ids: list[str],
    keys: NDArray[np.uint64],
    params: IndexParams,
    fit: Fit,
    layout: Layout,
    exact: ExactSearch,
    files: Files,
) -> Updated | None:
    """Return the index with the lists that were trained before, None where it has to be built anew.

    Items that changed are put into their lists, and the settings of before are measured again with
    the same queries; where they miss the recall target now, dearer ones are taken. It is built anew
    where none of them reaches it, where a catalogue of its size has other lists or none, and where
    it is a graph, which Faiss cannot take items from.

    Args:
        vectors: Item rows `[S_t ; S_m]`, [N, 2 D]; in two parts where `is_in_parts`.
        item_ids: Ids, [N].
        keys: What the rows are known by, [N, 2].
        params: The `index` section.
        fit: What an earlier run fitted with the same settings.
        layout: Which items lie together, and who finds the lists of those that changed.
        exact: Exact search in these vectors.
        files: Where the file of item rows in two parts comes from.
    """
    if not isinstance(vectors, ItemRows) and _is_exact(vectors, params):
        return Updated(build_index(vectors, item_ids, params, lambda: fit.sample, layout))
    first = vectors if isinstance(vectors, ItemRows) else cut_halves(vectors, params.dim)
    settings = _settings(first.shape, params, fit, layout)
    if fit.lists is None or not settings:
        return None
    lists = fit.lists.changed(first, KeyTable(fit.keys).rows_of(keys), layout)
    file = None
    if isinstance(vectors, ItemRows):
        held, file = files.index(lists, vectors, fit, keys)
        shards = [Shard(held)]
    else:
        assert not isinstance(first, ItemRows)  # noqa: S101 - it is a part of the vectors
        shards = _shards(lists, first, vectors, params, layout)
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
            return Updated(replace(index, details=index.details | {"recall": recall}), file)
    return None


def _is_exact(vectors: NDArray[np.float32], params: IndexParams) -> bool:
    return len(vectors) < params.exact_below and not is_compact(params)


def _shards(
    lists: Lists,
    first: NDArray[np.float32],
    vectors: NDArray[np.float32],
    params: IndexParams,
    layout: Layout,
) -> list[Shard]:
    """Return shards with the lists of their items, in which the first of two vectors is found."""
    whole = built("Flat", vectors, layout).indexes if is_compact(params) else None
    parts = zip(layout.rows, whole or [None] * layout.count, strict=True)
    return [Shard(lists.filled(first, rows), rows, exact) for rows, exact in parts]


def _settings(
    shape: tuple[int, ...], params: IndexParams, fit: Fit, layout: Layout
) -> list[dict[str, int]]:
    """Return the settings of before and dearer ones, none where another kind would be built."""
    vectors = np.broadcast_to(np.float32(0), shape)  # what is not built reads none of them
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
    exclusive: ExclusiveWords | None,
    spelling: Spelling | None,
    trained: Sequence[str],
) -> HybridIndex:
    """Return the index of vectors and words with the shares and relevance that were fitted.

    Args:
        fit: What was fitted.
        vectors: The vector index.
        words: The word index over the same items.
        exclusive: Words that exclude each other, at the weight that was fitted.
        spelling: What queries are read by.
        trained: The queries that the model was trained on, where some words have their own share.
    """
    share = fit.unseen_share
    unseen = None if share is None else UnseenWords.of(words, trained, share)
    relevance = Calibration.read(fit.relevance)
    return HybridIndex(vectors, words, fit.word_share, relevance, unseen, spelling, exclusive)
