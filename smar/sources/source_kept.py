"""A feed and a joined log as an earlier run read them, where all that they are of is as it was.

    .smar/feed/      the items of a feed with their pictures, by the content of its file
    .smar/joined/    searches and engagements, by the files of the log and the ids of the items

A day of log leaves the feed as it was, and items that changed leave the log, as long as their ids
stay. Both folders may be deleted at any time; what is damaged is read anew.
"""

import logging
from collections.abc import Callable, Iterable
from hashlib import file_digest, sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from smar.closure import PARAMS, code_key
from smar.data import schema
from smar.data.arrow_content import digest_of
from smar.data.arrow_numbers import numbers_of
from smar.data.membership import in_one_piece
from smar.params import FeedParams, LogParams
from smar.sources.feed import Feed, read_feed
from smar.sources.kept_tables import ENDING, forget_others, read_tables, write_tables
from smar.sources.log_files import FILES, log_files
from smar.sources.picture_list import PictureFiles
from smar.sources.quarantine import Quarantine
from smar.sources.search_log import SearchLog, read_log

logger = logging.getLogger(__name__)

_LIBRARIES = ("pandas", "pyarrow", "numpy", "orjson", "openpyxl", "babel", "charset-normalizer")
_KEPT_KIND = "ubi"  # the one that days are added to
_SEARCHES = schema.SEARCHES.append(pa.field("query", pa.string(), nullable=False))
_ROW = pa.field("row", pa.int64())
_WITHOUT_IMAGES = [field for field in schema.ITEMS if field.name != "image_ids"]
_ITEMS = pa.schema([*_WITHOUT_IMAGES, _ROW])
_PICTURES = pa.schema(
    [
        pa.field("item_id", pa.string()),
        pa.field("row", pa.int64()),
        pa.field("link", pa.string()),
        pa.field("is_main", pa.bool_()),
        pa.field("any_ending", pa.bool_()),
    ]
)


def kept_feed(
    folder: Path, params: FeedParams, quarantine: Quarantine, kept: Path | None = None
) -> Feed:
    """Return the items of a feed as `read_feed` does, read only if no earlier run did.

    Args:
        folder: The folder of the source.
        params: The section `ingest.feed`.
        quarantine: Takes bad rows.
        kept: Where feeds are kept, None to read it.
    """
    files = [folder / name for name in (params.file, params.taxonomy) if name]
    if kept is None or not all(file.is_file() for file in files):
        return read_feed(folder, params, quarantine)
    path = kept / f"{_key(read_feed, params, _contents(files))}{ENDING}"
    found = read_tables(path, 2)
    if found is not None:
        for note in found.facts["notes"]:
            logger.info("feed: %s", note)
        quarantine.add(found.quarantine)
        return Feed(_frame(found.tables[0]), _pictures(found.tables[1]), found.facts["notes"])
    own = Quarantine()
    feed = read_feed(folder, params, own)
    quarantine.add(own)
    items = pa.Table.from_pandas(feed.items[_ITEMS.names], _ITEMS, preserve_index=False)
    listed = feed.pictures
    columns = (listed.item_ids, listed.rows, listed.links, listed.is_main, listed.any_ending)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, _PICTURES, strict=True)]
    pictures = pa.Table.from_arrays(arrays, schema=_PICTURES)
    write_tables(path, [items, pictures], own, {"notes": feed.notes})
    forget_others(kept, {path.name.removesuffix(ENDING)})
    return feed


def kept_log(
    folder: Path,
    params: LogParams,
    item_ids: pa.Array,
    quarantine: Quarantine,
    kept: Path | None = None,
) -> SearchLog:
    """Return a log as `read_log` does, joined only if no earlier run did.

    Args:
        folder: The folder of the source.
        params: The section `ingest.log`.
        item_ids: Ids that exist, in the order of the feed.
        quarantine: Takes bad rows.
        kept: The folder of what is kept, in which the log has two of its own; None to read all.
    """
    of_files = None if kept is None else kept / "log"
    if kept is None or params.kind != _KEPT_KIND:
        return read_log(folder, params, item_ids, quarantine, of_files)
    files = log_files(folder, params.queries, params.events)
    known = [digest_of(item_ids), *_contents(files)]
    path = kept / "joined" / f"{_key(read_log, params, known)}{ENDING}"
    found = read_tables(path, 2)
    if found is not None:
        quarantine.add(found.quarantine)
        log = SearchLog(_frame(found.tables[0]), _frame(found.tables[1]), **found.facts)
        log.tell()
        return log
    own = Quarantine()
    log = read_log(folder, params, item_ids, own, of_files)
    quarantine.add(own)
    if FILES in own.totals or (own.frame()["source"] == FILES).any():
        return log  # a file that breaks off is warned of by its reader, each time
    tables = [
        pa.Table.from_pandas(frame[columns.names], columns, preserve_index=False)
        for frame, columns in ((log.searches, _SEARCHES), (log.engagements, schema.ENGAGEMENTS))
    ]
    facts = {name: dict(getattr(log, name)) for name in ("ignored", "notes", "first_position")}
    write_tables(path, tables, own, facts)
    forget_others(path.parent, {path.name.removesuffix(ENDING)})
    return log


def _key(
    reader: Callable[..., object], params: FeedParams | LogParams, contents: Iterable[str]
) -> str:
    """Return what stands for contents and the way in which they are read."""
    told = params.model_dump_json()
    how = code_key([reader.__module__, __name__], _LIBRARIES, told, but=PARAMS)
    return sha256("\n".join([how, *contents]).encode()).hexdigest()[:32]


def _contents(files: Iterable[Path]) -> list[str]:
    """Return name and content of files."""
    found = []
    for path in files:
        with path.open("rb") as file:
            found.append(f"{path.name} {file_digest(file, 'sha256').hexdigest()}")
    return found


def _frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a frame whose whole numbers and lists stay what they are."""
    kinds = {pa.int64(): pd.Int64Dtype()}
    plain = [f.name for f in table.schema if not pa.types.is_list(f.type)]
    frame: pd.DataFrame = table.select(plain).to_pandas(types_mapper=kinds.get)
    for name in table.column_names:
        if name not in plain:
            frame[name] = pd.Series(pd.arrays.ArrowExtensionArray(table[name].combine_chunks()))
    return frame[table.column_names]


def _pictures(table: pa.Table) -> PictureFiles:
    return PictureFiles(
        in_one_piece(table["item_id"]),
        numbers_of(table["row"]).astype(np.int64),
        in_one_piece(table["link"]),
        table["is_main"].to_numpy(),
        table["any_ending"].to_numpy(),
    )
