"""The records of a log file: lines of JSON, arrays, bulk exports, search responses, parquet."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from smar.errors import DataError
from smar.sources.log_files import (
    FILES,
    beginning,
    is_parquet,
    note_broken,
    read_blocks,
    read_lines,
)
from smar.sources.quarantine import Quarantine

_BATCH = 4096
_PEEK = 1 << 16
_MOST_PENDING = 64 << 20  # a JSON value longer than this is no record
# A BOM, the NULs that a machine leaves when it goes down, the separator of RFC 7464.
_AROUND = b" \t\r\n\0\x1e\xef\xbb\xbf"
_BULK = frozenset({"index", "create", "update", "delete"})
# Names that a record has only where it wraps others, or says what to do with the next line.
_WRAPPERS = _BULK | {"_source", "doc", "hits"}
_IDS = ("query_id", "client_id")
_DECODER = json.JSONDecoder()


def read_records(
    path: Path, source: str, quarantine: Quarantine
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records of a file with their place in it, from 1.

    Lines that are no JSON object go to the quarantine of `source`; a cut last line and a file that
    breaks off are noted, as they are what a log in writing looks like.

    Raises:
        DataError: If a parquet file cannot be opened at all.
    """
    if is_parquet(path):
        yield from _parquet_records(path, quarantine)
        return
    start = beginning(path)[:_PEEK]
    values = _document(path, quarantine) if _is_document(start) else _lines(path, quarantine)
    for row, value, text in values:
        if isinstance(value, dict) and _WRAPPERS.isdisjoint(value):
            yield row, value
            continue
        found = False
        for record in _unwrapped(value):
            found = True
            yield row, record
        if not found and not _is_bulk(value):
            quarantine.see(source, 1)
            reason = "line is not a JSON object"
            quarantine.put(source, [(row, path.name, "line", reason, text)])


def _is_document(start: bytes) -> bool:
    """Return whether a file is JSON over many lines (an array, pretty print), not a line each."""
    stripped = start.lstrip(_AROUND)
    if stripped.startswith(b"["):
        return True
    if not stripped.startswith(b"{"):
        return False
    whole = [line.strip(_AROUND) for line in stripped.split(b"\n")[:50]]
    return len(whole) > 1 and not any(_is_json(line) for line in whole if line[:1] == b"{")


def _is_json(line: bytes) -> bool:
    return bool(_values_of(line)[0])


def _values_of(line: bytes) -> tuple[list[Any], str]:
    """Return the JSON values of a line, and what is left that is none."""
    try:
        return [orjson.loads(line)], ""
    except orjson.JSONDecodeError:
        pass  # NaN, half a surrogate pair, two records on one line, or no JSON
    text = _decoded(line)
    values = []
    while text:
        try:
            value, end = _DECODER.raw_decode(text)
        except (ValueError, RecursionError):
            break
        values.append(value)
        text = text[end:].lstrip(" \t\r,")
    return values, text


def _decoded(line: bytes) -> str:
    """Return text from UTF-8, or from the Windows code page that older exporters write."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def _lines(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, Any, str]]:
    for row, (line, is_whole) in enumerate(read_lines(path, quarantine), start=1):
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            record = None  # blank, cut, or odd in another way
        if record is not None:
            yield row, _with_whole_ids(record, line), ""
            continue
        stripped = line.strip(_AROUND)
        if not stripped:
            if line.strip():
                _note_cut(path, row, line, quarantine)
            continue
        values, rest = _values_of(stripped)
        for value in values:
            yield row, value, ""
        if rest and not is_whole:
            _note_cut(path, row, stripped, quarantine)
        elif rest:
            yield row, None, rest


def _with_whole_ids(record: Any, line: bytes) -> Any:
    """Return a record whose ids keep all digits.

    orjson makes a float of a whole number beyond 64 bits: two ids that differ in their last digits
    would be one.
    """
    is_rounded = isinstance(record, dict) and any(
        record.get(name).__class__ is float for name in _IDS
    )
    return json.loads(_decoded(line)) if is_rounded else record


def _note_cut(path: Path, row: int, line: bytes, quarantine: Quarantine) -> None:
    reason = "line is cut (a log in writing, or a machine that went down)"
    quarantine.put(FILES, [(row, path.name, "line", reason, _decoded(line))])


def _document(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, Any, str]]:
    """Yield the values of JSON that is not a line each: elements of arrays, printed objects."""
    row, text, wanted = 0, "", 0
    pending = b""
    blocks = read_blocks(path, quarantine)
    is_more = True
    while is_more or text:
        if is_more and len(text) <= wanted:
            block = next(blocks, b"")
            is_more = bool(block)
            pending += block
            cut = len(pending) if not is_more else pending.rfind(b"\n") + 1 or len(pending)
            text, pending = text + _decoded(pending[:cut]), pending[cut:]
        text = text.lstrip(" \t\r\n,[]\0\ufeff\x1e")
        if not text:
            wanted = 0
            continue
        try:
            value, end = _DECODER.raw_decode(text)
        except (ValueError, RecursionError):
            if is_more and len(text) < _MOST_PENDING:
                wanted = 2 * len(text)
                continue
            row += 1
            next_line = text.find("\n{")
            if next_line < 0:
                _note_cut(path, row, text[:200].encode("utf-8", "replace"), quarantine)
                return
            yield row, None, text[:200]
            text = text[next_line:]
            continue
        row, wanted = row + 1, 0
        text = text[end:]
        yield row, value, ""


def _is_bulk(value: object) -> bool:
    """Return whether a line is the action line of a bulk export ({"index": {...}})."""
    if not isinstance(value, dict) or len(value) != 1:
        return False
    name, content = next(iter(value.items()))
    return name in _BULK and isinstance(content, dict)


def _unwrapped(value: object) -> Iterator[dict[str, Any]]:
    """Yield the records of a value: itself, or what a search response or a bulk update wraps."""
    if isinstance(value, list):
        for element in value:
            yield from _unwrapped(element)
        return
    if not isinstance(value, dict) or _is_bulk(value):
        return
    inner = value.get("_source")
    if not isinstance(inner, dict) and set(value) <= {"doc", "doc_as_upsert"}:
        inner = value.get("doc")
    hits = value.get("hits")
    if isinstance(hits, dict) and isinstance(hits.get("hits"), list):
        yield from _unwrapped(hits["hits"])
    elif isinstance(inner, dict):
        yield inner
    else:
        yield value


def _parquet_records(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, dict[str, Any]]]:
    row = 0
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path}: cannot be read as parquet: {error}. Write it again, or leave it out of "
            "ingest.log in params.yaml."
        ) from error
    try:
        for batch in file.iter_batches(batch_size=_BATCH):
            for record in batch.to_pylist():
                row += 1
                yield row, record
    except (pa.ArrowException, OSError) as error:
        note_broken(path, error, quarantine)
