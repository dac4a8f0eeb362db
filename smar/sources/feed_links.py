"""Links to pictures, as feeds hold them: one or several in a cell, lists, dicts, JSON."""

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from smar.data.membership import in_one_piece
from smar.errors import DataError
from smar.sources.cells import as_text, texts_in
from smar.sources.feed_columns import Columns
from smar.sources.feed_kind import LINKS
from smar.sources.picture_list import PictureFile, PictureFiles
from smar.sources.templates import Template, link_part
from smar.sources.texts import MISSING, say_nothing

_URL = re.compile(r"(?:[a-z][a-z0-9+.-]+:)?//", re.IGNORECASE)
_BETWEEN_URLS = re.compile(r"[\s,;|]+(?=(?:[a-z][a-z0-9+.-]+:)?//)", re.IGNORECASE)
_PLAIN = re.compile(r"(?!//)[\w./-]+", re.ASCII)  # a path, with nothing in it to undo
_PLAIN_OF_ALL = r"^(?:[A-Za-z0-9_.-]|/[A-Za-z0-9_.-])[A-Za-z0-9_./-]*$|^/$"  # the same for Arrow
_BETWEEN_PATHS = re.compile(r"\s*[,;|\n]\s*")
_PLACES = ("url", "src", "path", "link", "href", "uri", "image_link", "large", "hi_res", "thumb")


def links_in(cell: Any, *, several: bool) -> list[str]:
    """Return the links of a cell.

    Args:
        cell: A text, a list, or a dict with a url, src or path.
        several: Whether a text may hold several paths; several URLs are told apart in any case,
            for a comma may be part of a file name.
    """
    if isinstance(cell, str) and _PLAIN.fullmatch(cell):
        return [] if cell.lower() in MISSING else [cell]
    if isinstance(cell, list | tuple):
        return [link for element in cell for link in links_in(element, several=False)]
    if isinstance(cell, dict):
        named = next((cell[name] for name in _PLACES if cell.get(name)), None)
        return links_in(named, several=False) if named is not None else []
    text = html.unescape(as_text(cell)).strip()
    if text[:1] in "[{" and text[-1:] in "]}":
        try:
            return links_in(json.loads(text), several=False)
        except ValueError:
            pass
    if text.lower() in MISSING or not text:
        return []
    if _URL.match(text):
        parts = _BETWEEN_URLS.split(text)
    else:
        parts = _BETWEEN_PATHS.split(text) if several else [text]
    return [part.strip().strip("\"'") for part in parts if part.strip()]


def find_pictures(
    frame: pd.DataFrame, ids: pd.Series, rows: pd.Series, columns: Columns, path: Path
) -> PictureFiles:
    """Return every picture of every item, item after item, main picture first.

    Args:
        frame: The feed as read, rows of the items alone.
        ids: Their ids, with the index of `frame`.
        rows: Rows of the input, as above.
        columns: Which columns hold links.
        path: The feed, for messages.

    Raises:
        DataError: If a value does not fit into a template.
    """
    needed = sorted({name for ours in LINKS for name in columns.sources[ours]})
    if not needed:
        return PictureFiles()
    is_one = len(needed) == 1 and not any(ours in columns.templates for ours in LINKS)
    links = _plain_links(frame[needed[0]]) if is_one else None
    if links is not None:
        every = np.ones(len(ids), bool)
        owners = texts_in(ids).cast(pa.string())
        return PictureFiles(owners, rows.to_numpy(np.int64), links, every, ~every)
    pictures: list[PictureFile] = []
    cells = [frame[name].tolist() for name in needed]
    for item_id, row, values in zip(ids, rows, zip(*cells, strict=True), strict=True):
        found = _links_of(dict(zip(needed, values, strict=True)), columns, f"{path}: row {row}")
        pictures += [
            PictureFile(str(item_id), int(row), link, is_main=place == 0, any_ending=made)
            for place, (link, made) in enumerate(found.items())
        ]
    return PictureFiles.of(pictures)


def _plain_links(column: pd.Series) -> pa.Array | None:
    """Return the cells of a column if each is one path as it stands, told of all together."""
    try:
        links = in_one_piece(pa.array(column, pa.string()))
    except (pa.ArrowException, TypeError):  # lists and dicts
        return None
    is_link = pc.and_not(pc.match_substring_regex(links, _PLAIN_OF_ALL), say_nothing(links))
    return links if pc.all(pc.fill_null(is_link, False)).as_py() else None


def _links_of(record: Mapping[Any, Any], columns: Columns, where: str) -> dict[str, bool]:
    """Return the links of a row, main picture first, and whether a template made each."""
    found: dict[str, bool] = {}
    for ours in LINKS:
        template = columns.templates.get(ours)
        if template is None:
            for name in columns.sources[ours]:
                several = ours != "image_link"
                found |= {link: False for link in links_in(record[name], several=several)
                          if link not in found}  # fmt: skip
            continue
        try:
            links = _filled(template, record, ours)
        except ValueError as error:
            raise DataError(
                f"{where}: ingest.feed.columns.{ours} cannot be filled: {error}"
            ) from error
        found |= {link: True for link in links if link not in found}
    return found


def _filled(template: Template, record: Mapping[Any, Any], ours: str) -> list[str]:
    """Return the paths a template gives for a row: one per link of the column it takes parts of."""
    of_links = [column for column, part in template.parts.values() if part]
    links = links_in(record[of_links[0]], several=ours != "image_link") if of_links else [""]
    texts = []
    for link in links:
        values = {
            field: link_part(link, part) if part else as_text(record[column]).strip()
            for field, (column, part) in template.parts.items()
        }
        texts.append(template.fill(values))
    return [text for text in texts if text]
