"""A feed as an earlier run read it, where its file is what it was.

    .smar/feed/      the items of a feed with their pictures, by the content of its file

The folder may be deleted at any time; what is damaged is read anew.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace
from hashlib import file_digest, sha256
from pathlib import Path

import numpy as np
import pyarrow as pa

from smar.closure import PARAMS, code_key
from smar.data import schema
from smar.data.arrow_numbers import numbers_of
from smar.data.membership import in_one_piece
from smar.params import FeedParams
from smar.sources.feed import Feed, read_feed
from smar.sources.kept_tables import ENDING, forget_others, read_tables, write_tables
from smar.sources.picture_list import PictureFiles
from smar.sources.quarantine import Quarantine

logger = logging.getLogger(__name__)

_LIBRARIES = ("pandas", "pyarrow", "numpy", "orjson", "openpyxl", "babel", "charset-normalizer")
_WITHOUT_IMAGES = [field for field in schema.ITEMS if field.name != "image_ids"]
_ITEMS = pa.schema([*_WITHOUT_IMAGES, pa.field("row", pa.int64())])
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
    how = code_key(
        [read_feed.__module__, __name__], _LIBRARIES, params.model_dump_json(), but=PARAMS
    )
    key = sha256("\n".join([how, *_contents(files)]).encode()).hexdigest()[:32]
    path = kept / f"{key}{ENDING}"
    found = read_tables(path, 2)
    if found is not None:
        for note in found.facts["notes"]:
            logger.info("feed: %s", note)
        quarantine.add(found.quarantine)
        tables = found.tables[0].to_pandas(), _pictures(found.tables[1])
        return Feed(*tables, found.facts["notes"], key)
    own = Quarantine()
    feed = read_feed(folder, params, own)
    quarantine.add(own)
    items = schema.table_of(feed.items, _ITEMS)
    listed = feed.pictures
    columns = (listed.item_ids, listed.rows, listed.links, listed.is_main, listed.any_ending)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, _PICTURES, strict=True)]
    pictures = pa.Table.from_arrays(arrays, schema=_PICTURES)
    write_tables(path, [items, pictures], own, {"notes": feed.notes})
    forget_others(kept, {key})
    return replace(feed, key=key)


def _contents(files: Iterable[Path]) -> list[str]:
    """Return name and content of files."""
    found = []
    for path in files:
        with path.open("rb") as file:
            found.append(f"{path.name} {file_digest(file, 'sha256').hexdigest()}")
    return found


def _pictures(table: pa.Table) -> PictureFiles:
    return PictureFiles(
        in_one_piece(table["item_id"]),
        numbers_of(table["row"]).astype(np.int64),
        in_one_piece(table["link"]),
        table["is_main"].to_numpy(),
        table["any_ending"].to_numpy(),
    )
