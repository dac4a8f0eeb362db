"""A source folder to tables: feed, pictures, log and judgements, joined and checked together."""

import logging
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from smar.closure import PARAMS, code_key
from smar.data import schema
from smar.data.membership import in_one_piece, places_of
from smar.params import ClusterParams, IngestParams
from smar.sources.decoded_pictures import DecodedPictures
from smar.sources.feed import Feed
from smar.sources.feed_kept import kept_feed
from smar.sources.joined_kept import LogTables, kept_log
from smar.sources.judgements import Judgements, read_judgements
from smar.sources.kept_outputs import KeptOutputs, Output
from smar.sources.pictures import Packed, drop_placeholders, pack_images
from smar.sources.quarantine import Quarantine
from smar.sources.query_table import query_table
from smar.sources.search_log import LogFacts

logger = logging.getLogger(__name__)

_LIBRARIES = ("numpy", "pandas", "pyarrow")


@dataclass(frozen=True)
class Tables:
    """The tables of a shop, with the columns of `schema`, and how they were read.

    `log` and `judgement_notes` tell of the log and the judgements, `packed` of the
    picture store.
    """

    items: Output
    queries: Output
    searches: Output
    engagements: Output
    judgements: Output
    quarantine: Quarantine
    log: LogFacts
    judgement_notes: list[str]
    packed: Packed


def read_source(
    folder: Path,
    params: IngestParams,
    seed: int,
    image_target: Path,
    decoded: DecodedPictures | None = None,
    kept: Path | None = None,
    cluster: ClusterParams | None = None,
) -> Tables:
    """Return the tables of a source folder; its pictures are packed into `image_target`.

    Args:
        folder: The folder.
        params: The section `ingest`.
        seed: Decides the splits.
        image_target: An empty folder.
        decoded: Pictures that need not be decoded again.
        kept: Where it is kept what the feed and the log said (`feed_kept`, `joined_kept`), and the
            tables that were made of it (`kept_outputs`); None to read all.
        cluster: Where pictures are decoded; None for here.

    Raises:
        DataError: If an input is missing or unreadable, or too many of its rows are bad.
    """
    quarantine, outputs = Quarantine(), KeptOutputs(kept and kept / "tables")
    feed = kept_feed(folder, params.feed, quarantine, kept and kept / "feed")
    logger.info("feed: %d items, %d pictures", len(feed.items), len(feed.pictures))
    item_ids = in_one_piece(pa.array(feed.items["item_id"], pa.string()))
    log = kept_log(folder, params.log, item_ids, quarantine, kept, outputs)
    logger.info("log: %d searches, %d engagements", len(log.searches), len(log.engagements))
    judgements = read_judgements(folder, params.judgements, item_ids, quarantine)
    logger.info("judgements: %d of %d queries", len(judgements.labels), len(judgements.queries))
    limits = (params.max_quarantined_frac, params.max_unknown_frac, params.quarantine_limits)
    quarantine.check(*limits)
    packed = pack_images(
        folder,
        feed.pictures,
        image_target,
        params.images,
        quarantine,
        params.feed.picture_roots,
        decoded,
        cluster or ClusterParams(),
    )
    image_ids = drop_placeholders(
        feed.pictures, packed.image_ids, feed.items, params.images.placeholder_items, quarantine
    )
    quarantine.check(*limits)
    tables = Tables(
        items=_items(feed, item_ids, np.array(image_ids, np.int64), outputs),
        queries=_queries(log, judgements, params, seed, kept and kept / "queries", outputs),
        searches=log.searches,
        engagements=log.engagements,
        judgements=Output(schema.table_of(judgements.labels, schema.JUDGEMENTS)),
        quarantine=quarantine,
        log=log.facts,
        judgement_notes=judgements.notes,
        packed=packed,
    )
    outputs.forget_others()
    return tables


def _queries(
    log: LogTables,
    judgements: Judgements,
    params: IngestParams,
    seed: int,
    kept: Path | None,
    outputs: KeptOutputs,
) -> Output:
    told = (params.validation_frac, params.judgements.test_frac, seed)
    judged = judgements.queries.to_numpy().tolist()
    key = log.key and _key(query_table.__module__, log.key, *map(repr, (told, judged)))
    found = outputs.find("queries", key)
    if found is not None:
        return found
    table = query_table(log.texts, judgements.queries, params, seed, kept)
    return outputs.keep("queries", key, table)


def _items(feed: Feed, ids: pa.Array, images: NDArray[np.int64], outputs: KeptOutputs) -> Output:
    """Return the items with their pictures, whose ids stand as the feed names them, -1 for none."""
    key = feed.key and _key(__name__, feed.key, sha256(images.tobytes()).hexdigest())
    found = outputs.find("items", key)
    if found is not None:
        return found
    return outputs.keep("items", key, _with_pictures(feed, ids, images))


def _key(module: str, *told: str) -> str:
    """Return what stands for a table that code makes of things that other keys stand for."""
    return code_key([module], _LIBRARIES, "\n".join(told), but=PARAMS)[:32]


def _with_pictures(feed: Feed, ids: pa.Array, images: NDArray[np.int64]) -> pa.Table:
    owner = places_of(pa.array(feed.pictures.item_ids, pa.string()), ids)
    good = np.flatnonzero(images >= 0)
    pairs = pd.DataFrame({"owner": owner[good], "image": images[good]}).drop_duplicates()
    pairs = pairs.sort_values("owner", kind="stable")
    counts = np.bincount(pairs["owner"], minlength=len(ids))
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    lists = pa.ListArray.from_arrays(offsets, pa.array(pairs["image"], pa.int64()))
    column = pd.Series(pd.arrays.ArrowExtensionArray(lists), index=feed.items.index)
    return schema.table_of(feed.items.assign(image_ids=column), schema.ITEMS)
