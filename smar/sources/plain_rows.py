"""Files of rows in which nothing is odd, told apart all at once and not line by line.

Nearly every feed is one: UTF-8, no quote anywhere, as many separators in each line. What
`delimited.RowReader` would make of it is known then, at a tenth of its cost.

Shapes: R rows, C columns.
"""

import lzma
import zlib

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from smar.data.membership import in_one_piece
from smar.sources.delimited import Dialect
from smar.sources.encodings import TextFile, open_bytes

_MARK = b"\xef\xbb\xbf"
_BLOCK = 2**24  # bytes that are parsed together; a line is no longer


def plain_columns(text: TextFile, dialect: Dialect) -> tuple[list[str], list[pa.Array]] | None:
    """Return the header of a file and its C columns, [R] each, None if any of it is odd.

    Odd are other encodings, quotes, carriage returns, empty lines and rows, lines of another width,
    names that are empty and headers that come again.

    Args:
        text: The file, of which no line was read.
        dialect: How its fields are parted.
    """
    whole = None if dialect.skip or len(dialect.separator.encode()) != 1 else _whole(text)
    if whole is None:
        return None
    try:
        header = whole.partition(b"\n")[0].decode().split(dialect.separator)
        table = _parsed(whole, dialect.separator, [str(place) for place in range(len(header))])
    except (pa.ArrowInvalid, UnicodeDecodeError):  # other widths, or another encoding than told
        return None
    columns = [in_one_piece(column) for column in table.columns]
    is_named = len(header) > 1 and all(name.strip() for name in header)
    return (header, columns) if is_named and not _is_odd(header, columns) else None


def _parsed(whole: bytes, separator: str, names: list[str]) -> pa.Table:
    """Return the rows behind a header, every cell a text.

    Raises:
        pa.ArrowInvalid: If a line has another width, or is no UTF-8.
    """
    return csv.read_csv(
        pa.BufferReader(whole),
        csv.ReadOptions(use_threads=False, block_size=_BLOCK, skip_rows=1, column_names=names),
        csv.ParseOptions(
            delimiter=separator, quote_char=False, double_quote=False, ignore_empty_lines=False
        ),
        csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False
        ),
    )


def _whole(text: TextFile) -> bytes | None:
    """Return what is in a file, None if that is odd."""
    if text.encoding != "utf-8-sig" or text.notes:
        return None
    try:
        with open_bytes(text.path) as file:
            content = file.read().removeprefix(_MARK)
    except (EOFError, zlib.error, lzma.LZMAError, OSError):
        return None
    is_odd = any(odd in content for odd in (b'"', b"\r", b"\0"))
    return None if is_odd or (not content.isascii() and _MARK in content) else content


def _is_odd(header: list[str], columns: list[pa.Array]) -> bool:
    """Return whether a row says the header again, or nothing."""
    again = pc.equal(pc.utf8_trim_whitespace(columns[0]), header[0].strip())
    empty = _blank(columns[0])
    for column in columns[1:]:
        if not pc.any(empty).as_py():
            break
        empty = pc.and_(empty, _blank(column))
    return bool(pc.any(again).as_py() or pc.any(empty).as_py())


def _blank(column: pa.Array) -> pa.Array:
    return pc.equal(pc.utf8_trim_whitespace(column), "")
