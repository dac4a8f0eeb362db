"""Product feeds: Google Merchant Center columns as csv, tsv, xml or parquet."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

import pandas as pd
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from smar.errors import DataError, list_problems, near_match
from smar.params import FeedParams
from smar.sources.pictures import PictureFile
from smar.sources.quarantine import Quarantine

SOURCE = "items"
# Our column -> the feed columns it is read from, the first that exists.
COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id",),
    "title": ("title",),
    "description": ("description",),
    "brand": ("brand",),
    "category": ("product_type", "google_product_category"),
    "attributes": (),
    "group_id": ("item_group_id",),
    "price": ("price",),
    "image_link": ("image_link",),
    "additional_image_link": ("additional_image_link",),
}
_REQUIRED = ("id", "title")
_PRICE = re.compile(r"^\s*([A-Za-z]{3})?\s*(\d+(?:[.,]\d+)?)\s*([A-Za-z]{3})?\s*$")


@dataclass(frozen=True)
class Feed:
    """A feed that was read.

    Args:
        items: Columns of `schema.ITEMS` without image_ids, and row (of the feed, from 1).
        pictures: Every picture the feed names, item after item, main picture first.
    """

    items: pd.DataFrame
    pictures: list[PictureFile]


def read_feed(folder: Path, params: FeedParams, quarantine: Quarantine) -> Feed:
    """Return the items of a feed; bad rows go to the quarantine.

    Raises:
        DataError: If the file is missing, of an unknown format, unreadable or without rows, or a
            column is missing; lists all missing columns.
    """
    raw = _read_file(folder / params.file)
    raw.columns = [str(name).strip() for name in raw.columns]
    frame = _map_columns(raw, params, folder / params.file)
    frame["row"] = range(1, len(frame) + 1)
    quarantine.see(SOURCE, len(frame))
    for column, reason in (("id", "id is empty"), ("title", "title is empty")):
        bad = frame[column] == ""
        frame = quarantine.take(SOURCE, frame, bad, key="id", column=column, reason=reason)
    frame = quarantine.take(
        SOURCE, frame, frame["id"].duplicated(), key="id", column="id", reason="id is repeated"
    )
    parsed = frame["price"].str.extract(_PRICE)
    price = pd.to_numeric(parsed[1].str.replace(",", ".", regex=False))
    bad_price = (frame["price"] != "") & price.isna()
    quarantine.put(  # the item stays, without a price
        "prices",
        zip(
            frame.loc[bad_price, "row"],
            frame.loc[bad_price, "id"],
            ["price"] * int(bad_price.sum()),
            ["price is not a number with a currency"] * int(bad_price.sum()),
            frame.loc[bad_price, "price"],
            strict=True,
        ),
    )
    quarantine.see("prices", int((frame["price"] != "").sum()))
    frame["currency"] = parsed[2].fillna(parsed[0]).fillna("").str.upper()
    frame["price"] = price
    pictures = _pictures(frame)
    items = frame.drop(columns=["image_link", "additional_image_link"])
    return Feed(items.rename(columns={"id": "item_id"}).reset_index(drop=True), pictures)


def _read_file(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(
            f"{path}: no feed there. Check ingest.folder and ingest.feed.file in params.yaml."
        )
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path}: unknown format '{path.suffix}', expected one of {', '.join(_READERS)}."
        )
    try:
        frame = reader(path)
    except (ValueError, OSError, ElementTree.ParseError, DefusedXmlException) as error:
        raise DataError(f"{path}: cannot be read as {path.suffix[1:]}: {error}") from error
    if frame.empty:
        raise DataError(f"{path}: no rows, expected at least one item.")
    return frame


def _read_delimited(separator: str) -> Callable[[Path], pd.DataFrame]:
    def read(path: Path) -> pd.DataFrame:
        return pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )

    return read


def _read_parquet(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    for name in frame.columns:
        values = frame[name]
        if values.map(lambda v: not isinstance(v, str) and hasattr(v, "__len__")).any():
            values = values.map(lambda v: ",".join(map(str, v)) if v is not None else "")
        frame[name] = values.astype("string").fillna("").astype(str)
    return frame


def _read_xml(path: Path) -> pd.DataFrame:
    """Return the items of an RSS 2.0 or Atom feed; repeated elements are joined by commas."""
    rows: list[dict[str, str]] = []
    for _, element in ElementTree.iterparse(path, events=("end",), forbid_dtd=True):
        if _local(element.tag) not in {"item", "entry"}:
            continue
        row: dict[str, str] = {}
        for child in element:
            name, text = _local(child.tag), (child.text or child.get("href") or "").strip()
            row[name] = f"{row[name]},{text}" if row.get(name) else text
        rows.append(row)
        element.clear()
    return pd.DataFrame(rows).fillna("").astype(str)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _read_delimited(","),
    ".tsv": _read_delimited("\t"),
    ".txt": _read_delimited("\t"),
    ".xml": _read_xml,
    ".parquet": _read_parquet,
}


def _map_columns(raw: pd.DataFrame, params: FeedParams, path: Path) -> pd.DataFrame:
    problems = [
        f"ingest.feed.columns.{name}: not one of our columns ({', '.join(COLUMNS)})."
        f"{near_match(name, COLUMNS)}"
        for name in params.columns
        if name not in COLUMNS
    ]
    mapped: dict[str, pd.Series] = {}
    empty = pd.Series("", index=raw.index)
    for ours, theirs in COLUMNS.items():
        wanted = params.columns.get(ours)
        if wanted is None:
            found = [name for name in theirs if name in raw.columns]
            columns = [raw[name].str.strip() for name in found]
            if ours in _REQUIRED and not found:
                problems.append(f"'{ours}' is missing; map it in ingest.feed.columns")
            mapped[ours] = columns[0] if columns else empty
            for fallback in columns[1:]:
                mapped[ours] = mapped[ours].where(mapped[ours] != "", fallback)
            continue
        missing = [name for name in _names_in(ours, wanted) if name not in raw.columns]
        problems += [
            f"ingest.feed.columns.{ours}: the feed has no column '{name}'."
            f"{near_match(name, raw.columns)}"
            for name in missing
        ]
        if not missing:
            mapped[ours] = _value(raw, ours, wanted)
    if problems:
        headline = f"{path}: the columns do not fit; the feed has {', '.join(raw.columns)}:"
        raise DataError(list_problems(headline, problems))
    return pd.DataFrame(mapped)


def _names_in(ours: str, wanted: str) -> list[str]:
    """Return the feed columns that a mapping value names."""
    if "{" in wanted:
        return [name for _, name, _, _ in Formatter().parse(wanted) if name]
    if ours == "attributes":
        return [name.strip() for name in wanted.split(",")]
    return [wanted]


def _value(raw: pd.DataFrame, ours: str, wanted: str) -> pd.Series:
    """Return a mapped column: a plain one, a template "images/{id}.jpg", or joined attributes."""
    names = _names_in(ours, wanted)
    if "{" in wanted:
        records = zip(*(raw[name] for name in names), strict=True)
        texts = [wanted.format(**dict(zip(names, row, strict=True))) for row in records]
        return pd.Series(texts, index=raw.index)
    if ours != "attributes":
        return raw[wanted].str.strip()
    parts = [raw[name].str.strip() for name in names]
    named = [
        # A column that already holds "name: value" text is kept as it is. The column decides, not
        # the cell: in a column of sizes, "EU: 42" is a value.
        part.where(
            (part == "") | (_holds_names(part) & part.str.contains(": ")), f"{name}: " + part
        )
        for name, part in zip(names, parts, strict=True)
    ]
    joined = ["; ".join(str(v) for v in row if v) for row in zip(*named, strict=True)]
    return pd.Series(joined, index=raw.index)


def _holds_names(part: pd.Series) -> bool:
    """Return whether most filled cells of a column are "name: value" text."""
    filled = part[part != ""]
    return bool(len(filled) and filled.str.contains(": ").mean() > 0.5)


def _pictures(frame: pd.DataFrame) -> list[PictureFile]:
    files: list[PictureFile] = []
    columns = ("row", "id", "image_link", "additional_image_link")
    for row, item_id, main, more in zip(*(frame[name] for name in columns), strict=True):
        links = [main, *more.split(",")]
        distinct = dict.fromkeys(link.strip() for link in links)
        files += [PictureFile(item_id, row, link) for link in distinct if link]
    return files
