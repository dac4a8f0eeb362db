"""Files of rows in which nothing is odd, told apart all at once and not line by line.

Nearly every feed is one: UTF-8, no quote anywhere, as many separators in each line. What
`delimited.RowReader` would make of it is known then, at a tenth of its cost.

Shapes: R rows, C columns.
"""

import lzma
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from smar.data.arrow_numbers import numbers_of
from smar.sources.delimited import Dialect
from smar.sources.encodings import TextFile, open_bytes

_MARK = b"\xef\xbb\xbf"


def plain_columns(text: TextFile, dialect: Dialect) -> tuple[list[str], list[pa.Array]] | None:
    """Return the header of a file and its C columns, [R] each, None if any of it is odd.

    Odd are other encodings, quotes, carriage returns, empty lines and rows, lines of another width,
    names that are empty and headers that come again.

    Args:
        text: The file, of which no line was read.
        dialect: How its fields are parted.
    """
    whole = None if dialect.skip or not dialect.separator.isascii() else _whole(text)
    if whole is None:
        return None
    lines = pc.list_flatten(pc.split_pattern(whole, "\n"))
    fields = pc.split_pattern(lines, dialect.separator)
    width = len(fields[0])
    if width < 2 or not (np.diff(numbers_of(fields.offsets)) == width).all():
        return None
    values, count = fields.values, len(lines)
    header, *columns = (
        values.slice(0, width).to_pylist(),
        *(
            values.take(pa.array(np.arange(width + place, count * width, width)))
            for place in range(width)
        ),
    )
    is_named = all(name.strip() for name in header)
    return (header, columns) if is_named and not _is_odd(header, columns) else None


def _whole(text: TextFile) -> pa.Array | None:
    """Return what is in a file as one text, None if that is odd."""
    if text.encoding != "utf-8-sig" or text.notes:
        return None
    try:
        with open_bytes(text.path) as file:
            content = file.read().removeprefix(_MARK).removesuffix(b"\n")
    except (EOFError, zlib.error, lzma.LZMAError, OSError):
        return None
    if any(odd in content for odd in (b'"', b"\r", b"\0", _MARK)):
        return None
    try:
        return pa.array([content], pa.large_binary()).cast(pa.large_string())
    except pa.ArrowInvalid:  # an encoding that was told, and is another one
        return None


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
