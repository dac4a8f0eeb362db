"""A source folder to tables: feed, pictures, log and judgements, joined and checked together."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from smar.data import schema
from smar.data.membership import in_one_piece, places_of
from smar.params import ClusterParams, IngestParams
from smar.sources.decoded_pictures import DecodedPictures
from smar.sources.feed import Feed
from smar.sources.judgements import read_judgements
from smar.sources.pictures import Packed, drop_placeholders, pack_images
from smar.sources.quarantine import Quarantine
from smar.sources.query_table import query_table
from smar.sources.search_log import SearchLog
from smar.sources.source_kept import kept_feed, kept_log

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tables:
    """The tables of a shop, with the columns of `schema`, and how they were read.

    `log` and `judgement_notes` tell of the log and the judgements, `packed` of the
    picture store.
    """

    items: pd.DataFrame
    queries: pd.DataFrame
    searches: pd.DataFrame
    engagements: pd.DataFrame
    judgements: pd.DataFrame
    quarantine: Quarantine
    log: SearchLog
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
        kept: Where it is kept what the feed and the log said (`source_kept`); None to read all.
        cluster: Where pictures are decoded; None for here.

    Raises:
        DataError: If an input is missing or unreadable, or too many of its rows are bad.
    """
    quarantine = Quarantine()
    feed = kept_feed(folder, params.feed, quarantine, kept and kept / "feed")
    logger.info("feed: %d items, %d pictures", len(feed.items), len(feed.pictures))
    item_ids = in_one_piece(pa.array(feed.items["item_id"], pa.string()))
    log = kept_log(folder, params.log, item_ids, quarantine, kept)
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
    return Tables(
        items=_with_pictures(feed, item_ids, image_ids),
        queries=query_table(
            log.searches["query"], judgements.queries, params, seed, kept and kept / "queries"
        ),
        searches=log.searches[schema.SEARCHES.names],
        engagements=log.engagements,
        judgements=judgements.labels,
        quarantine=quarantine,
        log=log,
        judgement_notes=judgements.notes,
        packed=packed,
    )


def _with_pictures(feed: Feed, ids: pa.Array, image_ids: list[int]) -> pd.DataFrame:
    images = np.array(image_ids, np.int64)
    owner = places_of(pa.array(feed.pictures.item_ids, pa.string()), ids)
    good = np.flatnonzero(images >= 0)
    pairs = pd.DataFrame({"owner": owner[good], "image": images[good]}).drop_duplicates()
    pairs = pairs.sort_values("owner", kind="stable")
    counts = np.bincount(pairs["owner"], minlength=len(ids))
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    lists = pa.ListArray.from_arrays(offsets, pa.array(pairs["image"], pa.int64()))
    column = pd.Series(pd.arrays.ArrowExtensionArray(lists), index=feed.items.index)
    return feed.items.assign(image_ids=column)[schema.ITEMS.names]
