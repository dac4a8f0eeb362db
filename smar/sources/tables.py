"""Tables as they are in the world: csv and its like, JSON, Excel, parquet; with what was bad.

Nothing is shifted or swallowed: a row with more fields than the header is set aside, a quote that
opens nothing is a quote, and whatever had to be guessed is said in `Table.notes`.
"""

import csv
import json
import lzma
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from smar.errors import DataError
from smar.sources.cells import distinct_names, integral
from smar.sources.delimited import SURPLUS, Dialect, RowReader, sniff
from smar.sources.encodings import AUTO, TextFile, open_bytes, open_text
from smar.sources.plain_rows import plain_columns
from smar.sources.workbook import is_filled, read_grid

FORMATS = ("csv", "tsv", "txt", "json", "jsonl", "ndjson", "xlsx", "parquet")
_PACKED = {".gz", ".bz2", ".xz", ".gzip"}
_BEGINNINGS = (
    ((b"par1",), "parquet"),
    ((b"pk\x03\x04",), "xlsx"),
    ((b"<!doctype html", b"<html"), "html"),
    ((b"<?xml",), "xml"),
)
_VAGUE = {"", "txt", "dat", "feed"}  # endings that promise nothing
_JSON = {"json", "jsonl", "ndjson"}
csv.field_size_limit(2**30)


@dataclass(frozen=True)
class BadRow:
    """A row that could not become one.

    Args:
        row: Row of the data (from 1, the header not counted) or line of a JSON file.
        reason: Why, as the quarantine says it.
        value: The beginning of the row.
    """

    row: int
    reason: str
    value: str


@dataclass
class Table:
    """A table that was read.

    Args:
        frame: One column per field, all distinct; cells are texts from csv, and from the other
            formats what they hold (None, numbers, dates, lists, dicts), whole numbers as int.
        rows: Row of the input of each row of `frame`, from 1.
        bad: Rows that are not in `frame`.
        notes: What was found or guessed, to be logged.
        is_cut: Whether a packed file broke off before its end.
    """

    frame: pd.DataFrame
    rows: Sequence[int]
    bad: list[BadRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_cut: bool = False


def format_of(path: Path) -> str:
    """Return a file's format by its first bytes where they are clear, else by its ending.

    Returns:
        One of `FORMATS`, "xml", "html", or another ending that names nothing known.
    """
    with open_bytes(path) as file:
        try:
            head = file.read(512)
        except (OSError, EOFError, zlib.error, lzma.LZMAError):
            head = b""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for beginnings, kind in _BEGINNINGS:
        if start.startswith(beginnings):
            return kind
    ending = _ending(path)
    if ending not in _VAGUE:
        return ending
    if start.startswith(b"<"):
        return "xml"
    return "jsonl" if start.startswith((b"{", b"[{")) else ending or "txt"


def _ending(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return suffixes[-1][1:] if suffixes else ""


def read_table(
    path: Path,
    *,
    encoding: str = AUTO,
    separator: str = AUTO,
    setting: str = "ingest.feed",
    header: list[str] | None = None,
) -> Table:
    """Return a table of any format.

    Args:
        path: A file of `FORMATS`; csv and JSON may be packed (gz, bz2, xz).
        encoding: Of csv and JSON; "auto" finds it.
        separator: Of csv and its like; "auto" finds it.
        setting: Section of params.yaml that `encoding` and `separator` come from, for messages.
        header: Names of the columns of a csv file without a line of names.

    Raises:
        DataError: If the file is missing, of an unknown format, or cannot be read.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file. Check {setting} in params.yaml.")
    kind = format_of(path)
    if kind == "parquet":
        return _read_parquet(path)
    if kind == "xlsx":
        return _read_xlsx(path)
    if kind == "html":
        raise DataError(
            f"{path}: is an HTML page, perhaps of an error or a login; download the file again."
        )
    if kind not in FORMATS:
        raise DataError(
            f"{path}: unknown format '.{kind}', expected one of {', '.join(FORMATS)} or xml."
        )
    text = open_text(path, encoding, f"{setting}.encoding")
    if kind in _JSON:
        return read_json(text)
    return _read_delimited(text, separator, kind, f"{setting}.separator", header)


def _read_delimited(
    text: TextFile, separator: str, kind: str, setting: str, header: list[str] | None
) -> Table:
    lines = text.lines()
    head: list[str] = []
    for line in lines:
        head.append(line)
        if len(head) == 200:
            break
    preferred = "\t" if kind in {"tsv", "txt"} else ","
    dialect = sniff(head, preferred) if separator == AUTO else Dialect(separator)
    plain = plain_columns(text, dialect) if header is None else None
    if plain is not None:
        names, _ = distinct_names(plain[0], [])
        frame = pa.table(plain[1], names).to_pandas()
        notes = _notes_of(text, dialect, kind, setting)
        return Table(frame, range(1, len(frame) + 1), [], notes)
    reader = RowReader(_chain(head, lines), dialect, header)
    records = list(reader.rows())
    shifted = reader.shifted(records)
    reader.bad += [
        (r, SURPLUS, dialect.separator.join(f)[:200]) for r, f in records if r in shifted
    ]
    records = [record for record in records if record[0] not in shifted]
    names, drop = distinct_names(reader.header, [row for _, row in records])
    frame = pd.DataFrame([row for _, row in records], columns=range(len(reader.header)), dtype=str)
    frame = frame.drop(columns=drop)
    frame.columns = pd.Index(names)
    notes = [*_notes_of(text, dialect, kind, setting), *reader.notes()]
    bad = [BadRow(row, reason, value) for row, reason, value in reader.bad]
    return Table(frame, [row for row, _ in records], bad, notes, text.is_cut)


def _notes_of(text: TextFile, dialect: Dialect, kind: str, setting: str) -> list[str]:
    """Return how a file is read, in words."""
    notes = list(text.notes)
    if dialect.separator != {"tsv": "\t", "csv": ","}.get(kind, dialect.separator):
        notes.append(f"separator {dialect.separator!r} (see {setting})")
    return notes


def _chain(head: list[str], rest: Iterator[str]) -> Iterator[str]:
    yield from head
    yield from rest


def read_json(text: TextFile) -> Table:
    """Return JSON objects as rows: one a line, or an array, or an array inside one object."""
    rows: list[int] = []
    records: list[dict[str, Any]] = []
    bad: list[BadRow] = []
    for row, record, line in json_records(text):
        if record is None:
            bad.append(BadRow(row, "line is not a JSON object", line[:200]))
        else:
            rows.append(row)
            records.append(record)
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = {name: integral([record.get(name) for record in records]) for name in names}
    frame = pd.DataFrame(
        {name: pd.Series(values, dtype=object) for name, values in columns.items()},
        index=range(len(records)),
    )
    return Table(frame, rows, bad, list(text.notes), text.is_cut)


def json_records(text: TextFile) -> Iterator[tuple[int, dict[str, Any] | None, str]]:
    """Yield (line or place, object, line); the object is None where the line is none.

    A file that is one array, or one object with one array of objects, gives its elements; it is
    read whole. Everything else is read line by line. Lone surrogates become U+FFFD.
    """
    lines = text.lines()
    start: list[str] = []
    for line in lines:
        start.append(line)
        if line.strip():
            break
    if not start or _object(start[-1]) is None:
        start += lines
        try:
            content = json.loads("\n".join(start), strict=False)
        except (ValueError, RecursionError):
            content = None
        for place, element in enumerate(_elements(content), start=1):
            is_record = isinstance(element, dict)
            yield place, clean_text(element) if is_record else None, str(element)
        if content is not None:
            return
    for number, line in enumerate(_chain(start, lines), start=1):
        if line.strip(" \t\r\n,\x1e"):
            yield number, _object(line), line


def _elements(content: object) -> Iterable[object]:
    if isinstance(content, list):
        return content
    if not isinstance(content, dict):
        return []
    lists = [v for v in content.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
    return lists[0] if len(lists) == 1 else [content]


def _object(line: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line.strip(" \t\r\n,\x1e\ufeff"), strict=False)
    except (ValueError, RecursionError):
        return None
    return clean_text(parsed) if isinstance(parsed, dict) else None


def clean_text(value: Any) -> Any:
    """Return a JSON value without lone surrogates, which no file can hold."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [clean_text(element) for element in value]
    if isinstance(value, dict):
        return {clean_text(name): clean_text(element) for name, element in value.items()}
    return value


def _read_parquet(path: Path) -> Table:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as parquet: {error}") from error
    names, _ = distinct_names(table.column_names, [])
    columns = {}
    for name, column in zip(names, table.columns, strict=True):
        if name.startswith("__index_level_"):
            continue
        try:
            values = integral(column.to_pylist())
        except (pa.ArrowException, ValueError, OverflowError) as error:
            raise DataError(f"{path}: column '{name}' cannot be read: {error}") from error
        columns[name] = pd.Series(values, dtype=object)
    frame = pd.DataFrame(columns, index=range(table.num_rows))
    return Table(frame, list(range(1, len(frame) + 1)))


def _read_xlsx(path: Path) -> Table:
    """Return the first sheet that holds anything; its first filled row names the columns."""
    grid, title, others = read_grid(path)
    start = next(i for i, row in enumerate(grid) if is_filled(row))
    body = [
        (number, list(row))
        for number, row in enumerate(grid[start + 1 :], start=1)
        if is_filled(row)
    ]
    header = ["" if value is None else str(value) for value in grid[start]]
    width = max([len(header), *(len(row) for _, row in body)])
    header += [""] * (width - len(header))
    records = [row + [None] * (width - len(row)) for _, row in body]
    names, drop = distinct_names(header, records)
    kept = [i for i in range(width) if i not in drop]
    columns = {
        name: pd.Series(integral([row[i] for row in records]), dtype=object)
        for name, i in zip(names, kept, strict=True)
    }
    notes = [f"sheet '{title}' is read, not {', '.join(others)}"] if others else []
    frame = pd.DataFrame(columns, index=range(len(records)))
    return Table(frame, [number for number, _ in body], notes=notes)
