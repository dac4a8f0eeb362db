"""Product feeds of every kind and format, as items with typed columns and pictures by name."""

import json
import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from smar.data import row_rules
from smar.data.membership import column_of, each_once
from smar.errors import DataError
from smar.params import FeedParams
from smar.sources.categories import category_levels, category_numbers
from smar.sources.cells import MOST_KEPT, CodedCells, nothing, texts_in, texts_of
from smar.sources.feed_columns import Columns, choose_columns
from smar.sources.feed_kinds import feed_kind
from smar.sources.feed_links import find_pictures
from smar.sources.feed_prices import price_columns
from smar.sources.feed_spare import first_element, has_levels, spare_values
from smar.sources.picture_list import PictureFiles
from smar.sources.quarantine import Quarantine
from smar.sources.tables import Table, format_of, read_table
from smar.sources.texts import clean, clean_all, clean_key, clean_keys
from smar.sources.xml_feed import read_xml

SOURCE = "items"
_PLAIN_TEXTS = ("title", "description", "brand", "mpn", "size", "colour")
_KEYS = ("id", "group_id", "gtin")
_AVAILABLE = {
    "1": "in_stock", "true": "in_stock", "yes": "in_stock", "instock": "in_stock",
    "available": "in_stock", "available_for_order": "in_stock", "limited": "in_stock",
    "limitedavailability": "in_stock", "onlineonly": "in_stock", "instoreonly": "in_stock",
    "0": "out_of_stock", "false": "out_of_stock", "no": "out_of_stock",
    "outofstock": "out_of_stock", "soldout": "out_of_stock", "sold_out": "out_of_stock",
    "discontinued": "out_of_stock", "unavailable": "out_of_stock", "pre_order": "preorder",
    "presale": "preorder", "back_order": "backorder", "onbackorder": "backorder",
}  # fmt: skip

_ROUNDED = r"\d(?:[.,]\d+)?[eE]\+\d+"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Feed:
    """A feed that was read.

    Args:
        items: Columns of `schema.ITEMS` without image_ids, and row (of the feed, from 1).
        pictures: Every picture the feed names, item after item, main picture first.
        notes: How it was read: kind, encoding, columns, what was ambiguous.
        key: What stands for the feed and the way in which it was read, "" if nothing does.
    """

    items: pd.DataFrame
    pictures: PictureFiles
    notes: list[str]
    key: str = ""


def read_feed(folder: Path, params: FeedParams, quarantine: Quarantine) -> Feed:
    """Return the items of a feed; bad rows go to the quarantine.

    Raises:
        DataError: If the file is missing, of an unknown format, unreadable, cut or without rows, or
            a column is missing; lists all missing columns.
    """
    path = folder / params.file
    table = _read_file(path, params)
    kind = feed_kind(params.kind, table.frame.columns)
    if kind.reshape:
        table = kind.reshape(table)
    columns = choose_columns(table.frame, kind, params.columns, path)
    notes = [f"kind: {kind.title}", *table.notes, *columns.report()]
    items = _texts(table.frame, columns).rename(columns={"id": "item_id"})
    items["row"] = table.rows
    items["gtin"] = _whole_gtins(items["gtin"], notes)
    items["category"] = _categories(table.frame, columns, folder, params, notes)
    _put_bad_rows(table, quarantine)
    quarantine.see(SOURCE, len(items) + len(table.bad))
    items = quarantine.hold(SOURCE, items, row_rules.ITEMS, key="item_id")
    if items.empty:
        reasons = "; ".join(f"{n} x {reason}" for reason, n in quarantine.counts().items())
        raise DataError(f"{path}: no row is an item ({reasons}). Check ingest.feed in params.yaml.")
    frame = table.frame if len(items) == len(table.frame) else table.frame.loc[items.index]
    items = items.assign(**price_columns(frame, items, columns, params, quarantine, notes))
    items["more"] = _more(frame, columns, notes)
    pictures = find_pictures(frame, items["item_id"], items["row"], columns, path)
    for note in notes:
        logger.info("feed: %s", note)
    return Feed(items.reset_index(drop=True), pictures, notes)


def _read_file(path: Path, params: FeedParams) -> Table:
    if not path.is_file():
        raise DataError(
            f"{path}: no feed there. Check ingest.folder and ingest.feed.file in params.yaml."
        )
    if format_of(path) == "xml":
        table = read_xml(path, params.encoding, "ingest.feed.encoding")
    else:
        table = read_table(path, encoding=params.encoding, separator=params.separator)
    if table.is_cut:
        raise DataError(
            f"{path}: breaks off after row {len(table.frame)}; copy it again, for items that are "
            "missing would take their clicks with them."
        )
    if table.frame.empty and not table.bad:
        raise DataError(f"{path}: no rows, expected at least one item.")
    return table


def _put_bad_rows(table: Table, quarantine: Quarantine) -> None:
    quarantine.put(SOURCE, ((bad.row, "", "row", bad.reason, bad.value) for bad in table.bad))


def _texts(frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Return our columns of text: the first source that has a value counts."""
    texts = {
        ours: column_of(_first_filled(frame, columns, ours), frame.index)
        for ours in (*_KEYS, *_PLAIN_TEXTS, "availability")
    }
    texts["availability"] = each_once(texts["availability"], _availability)
    texts["attributes"] = _attributes(frame, columns.sources["attributes"])
    return pd.DataFrame(texts, index=frame.index)


def _whole_gtins(gtins: pd.Series, notes: list[str]) -> pd.Series:
    """Return GTINs without those that a spreadsheet rounded (4.00694E+12): they name no item."""
    is_rounded = gtins.str.fullmatch(_ROUNDED)
    if number := int(is_rounded.sum()):
        notes.append(
            f"gtin: {number} lost their digits in a spreadsheet (the first: "
            f"{gtins[is_rounded].iloc[0]}) and are left out; write the feed again without it"
        )
        return gtins.where(~is_rounded, "")
    return gtins


def _first_filled(frame: pd.DataFrame, columns: Columns, ours: str) -> pa.Array:
    template = columns.templates.get(ours)
    if template is not None:
        tidy = clean_key if ours in _KEYS else clean
        records = frame[columns.sources[ours]].map(tidy).to_dict("records")
        return texts_of(
            template.fill({field: record[column] for field, (column, _) in template.parts.items()})
            for record in records
        )
    result = nothing(len(frame))
    for name in columns.sources[ours]:
        column = frame[name]
        has_texts = column.dtype != object  # which are no repeated elements
        texts = texts_in(column) if has_texts else texts_of(map(first_element, column))
        found = clean_keys(texts) if ours in _KEYS else clean_all(texts)
        is_first = name == columns.sources[ours][0]
        result = found if is_first else pc.if_else(pc.equal(result, ""), found, result)
    return result


@lru_cache(MOST_KEPT)
def _availability(text: str) -> str:
    """Return one of Google's four words for it, or the text where it is none of them."""
    plain = re.sub(r"^https?://schema\.org/", "", text.strip())
    word = re.sub(r"[\s-]+", "_", plain.lower())
    return _AVAILABLE.get(word, word)


def _categories(
    frame: pd.DataFrame, columns: Columns, folder: Path, params: FeedParams, notes: list[str]
) -> pd.Series:
    numbers = category_numbers(folder / params.taxonomy if params.taxonomy else None)
    result = CodedCells.empty(len(frame))
    for name in columns.sources["category"]:
        cells = CodedCells.of(frame[name]).map(_main_type)
        levels, num_unknown = category_levels(cells.where(result.are("")), numbers)
        result = result.or_else(levels)
        if num_unknown:
            notes.append(
                f"category: {num_unknown} numbers are not known by name; set ingest.feed.taxonomy "
                "to Google's list with ids (taxonomy-with-ids), put beside the feed"
            )
    return column_of(result.texts(), frame.index)


def _main_type(cell: Any) -> Any:
    """Return the first of several categories that each have levels; a list of levels as it is."""
    return first_element(cell) if has_levels(cell) else cell


def _attributes(frame: pd.DataFrame, names: list[str]) -> pd.Series:
    """Return "name: value; name: value" of the columns that are mapped."""
    if not names:
        return column_of(nothing(len(frame)), frame.index)
    named = []
    for name in names:
        part = column_of(clean_all(texts_in(frame[name])), frame.index)
        # A column that already holds "name: value" text is kept as it is. The column decides, not
        # the cell: in a column of sizes, "EU: 42" is a value.
        is_named = _holds_names(part) & part.str.contains(": ", regex=False)
        named.append(part.where((part == "") | is_named, f"{name}: " + part))
    joined = ["; ".join(str(v) for v in row if v) for row in zip(*named, strict=True)]
    return pd.Series(joined, index=frame.index, dtype=str)


def _holds_names(part: pd.Series) -> bool:
    """Return whether most filled cells of a column are "name: value" text."""
    filled = part[part != ""]
    return bool(len(filled) and filled.str.contains(": ", regex=False).mean() > 0.5)


def _more(frame: pd.DataFrame, columns: Columns, notes: list[str]) -> pd.Series:
    """Return what no column of ours holds, as JSON objects of texts; "" for nothing."""
    names = list(dict.fromkeys([*columns.ignored, *columns.sources["attributes"]]))
    names = [name for name in names if name in frame.columns]
    texts = {name: clean_all(texts_in(frame[name])).to_pylist() for name in names}
    spare = spare_values(frame, columns)
    if spare:
        counted = ", ".join(f"{sum(map(bool, v))} of {name}" for name, v in spare.items())
        notes.append(f"further values kept for filters, as the first counts: {counted}")
    texts |= spare
    if not texts:
        return column_of(nothing(len(frame)), frame.index)
    rows = zip(*texts.values(), strict=True)
    found = ({name: text for name, text in zip(texts, row, strict=True) if text} for row in rows)
    written = [json.dumps(values, ensure_ascii=False) if values else "" for values in found]
    return pd.Series(written, index=frame.index, dtype=str)
