"""The items of a release as a service keeps them: one file that all its processes map.

    .smar/items/<key>.arrow    columns as Arrow holds them, and each item as the bytes of its JSON

A release has its items packed small. To unpack them and to read what is nested in them takes
seconds and, in every process, several times their size in memory; this is done once for a release.
The key names the release's files that it was made of, so that what is kept is never of other items;
a file that cannot be read is made again.

Shapes: N items.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from smar.kept_files import forget_unused, held
from smar.pages.links import item_link
from smar.replace import write_file

logger = logging.getLogger(__name__)

PICTURES = "/pictures/"
"""What stands before the SHA-256 of a picture in the bytes of an item."""
KEPT = 4
"""Files that are kept, the last ones used."""

_FORM = 1  # of the file; another one has another key
_KEY = b"smar-items"
_BYTES, _SHAS = "$bytes", "$pictures"  # no column of items is called so
_BLOCK = 10_000  # items whose bytes are made at once


@dataclass(frozen=True)
class KeptItems:
    """Items that are ready to be sent.

    Args:
        table: The items, with the columns of `schema.ITEMS`, [N].
        nested: The fields within attributes and further columns, by name, [N] each.
        pieces: Each item as JSON without its braces, [N].
        pictures: SHA-256 of each item's pictures that are at hand, main one first, [N].
    """

    table: pa.Table
    nested: Mapping[str, Any]
    pieces: Any
    pictures: Any


def piece_of(item: Mapping[str, Any], pictures: Sequence[str]) -> bytes:
    """Return what a hit's JSON says of its item, without the braces.

    Args:
        item: Its fields in plain types, as `ItemTable.read` gives them.
        pictures: SHA-256 of its pictures.
    """
    link = item_link(item["more"]) if item["more"] else ""
    shown = [PICTURES + sha for sha in pictures]
    return orjson.dumps({**item, "link": link, "pictures": shown})[1:-1]


def key_of(*parts: str) -> str:
    """Return the name of what is made of files with these hashes."""
    named = "/".join((str(_FORM), pa.__version__, *parts))
    return sha256(named.encode()).hexdigest()[:32]


def find_kept(cache: Path, key: str) -> KeptItems | None:
    """Return what is kept under a key, mapped; None where nothing is that can be read."""
    path = cache / f"{key}.arrow"
    try:
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
        if (table.schema.metadata or {}).get(_KEY) != key.encode():
            raise pa.ArrowInvalid("it is of another key")
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError) as error:
        logger.warning("%s is not used: %s", path, error)
        return None
    with suppress(OSError):  # a folder that may only be read
        os.utime(path)  # it was used last
    names = table.schema.names
    own = names[: names.index(_BYTES)]
    return KeptItems(
        table.select(own).replace_schema_metadata(),
        {name: table.column(name) for name in names[len(own) + 2 :]},
        _whole(table.column(_BYTES)),
        _whole(table.column(_SHAS)),
    )


def keep(cache: Path, key: str, make: Callable[[], KeptItems]) -> KeptItems | None:
    """Return what is kept under a key, made where it is not there; None where it cannot be kept.

    Of several processes that want the same, one makes it and the others wait.

    Args:
        cache: Folder of kept items, for example `.smar/items`.
        key: As `key_of` gives it.
        make: Returns what is to be kept.
    """
    if kept := find_kept(cache, key):
        return kept
    try:
        with held(cache):
            if (kept := find_kept(cache, key)) is None:
                _write(cache / f"{key}.arrow", key, make())
                forget_unused(cache, "*.arrow", KEPT)
                kept = find_kept(cache, key)
            return kept
    except OSError as error:  # no room, or a folder that may only be read: memory has to do
        logger.warning("%s: items are not kept, each process holds its own: %s", cache, error)
        return None


def bytes_of(
    table: pa.Table, read: Callable[[Any], list[dict[str, Any]]], shas: Callable[[int], list[str]]
) -> tuple[Any, Any]:
    """Return the pieces of all items and their pictures, as `KeptItems` has them.

    Args:
        table: The items, [N].
        read: Returns the items at rows in plain types.
        shas: Returns the SHA-256 of a row's pictures.
    """
    pieces: list[Any] = []
    pictures = []
    for start in range(0, len(table), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(table)))
        of_rows = [shas(row) for row in rows.tolist()]
        pictures += of_rows
        made = [piece_of(item, own) for item, own in zip(read(rows), of_rows, strict=True)]
        pieces.append(pa.array(made, pa.large_binary()))
    empty = pa.array([], pa.large_binary())
    return pa.concat_arrays([empty, *pieces]), pa.array(pictures, pa.large_list(pa.string()))


def _whole(column: Any) -> Any:
    """Return a column that is in one piece as it is: `combine_chunks` copies it."""
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _write(path: Path, key: str, kept: KeptItems) -> None:
    table = kept.table.append_column(_BYTES, kept.pieces).append_column(_SHAS, kept.pictures)
    for name, column in kept.nested.items():
        table = table.append_column(name, column.dictionary_encode())
    table = table.combine_chunks().replace_schema_metadata({_KEY: key.encode()})
    with write_file(path) as temporary, pa.ipc.new_file(str(temporary), table.schema) as file:
        file.write_table(table)
