"""Rows of csv, tsv and their like, told apart line by line.

A reader of whole files trusts every quote: one title that begins with an inch sign swallows the
rows up to the next one. Here a quoted field may go on over lines only if that gives a whole row.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SEPARATORS = ("\t", ",", ";", "|", "\x01")
_MOST_LINES = 2000  # of one row
_MOST_CHARS = 2**22
# What a spreadsheet writes to keep a number as text: ="007".
_AS_TEXT = re.compile(r'="([^"]*)"')
SURPLUS = "row has more fields than the header"


@dataclass(frozen=True)
class Dialect:
    """How fields are parted.

    Args:
        separator: One character.
        skip: Lines before the header, such as Excel's "sep=;".
    """

    separator: str
    skip: int = 0


def sniff(lines: Sequence[str], preferred: str) -> Dialect:
    """Return the dialect that most of the first lines agree with.

    Args:
        lines: The first lines of a file.
        preferred: Separator that the file's ending promises; wins a tie.
    """
    if lines and lines[0].strip("\ufeff ").lower().startswith("sep="):
        given = lines[0].strip("\ufeff ")[4:5]
        return Dialect(given or preferred, skip=1)
    filled = [line for line in lines if line.strip()]
    if not filled:
        return Dialect(preferred)

    def fit(separator: str) -> tuple[float, bool, bool, int]:
        width = _width(filled[0], separator)
        if width < 2:
            return (0.0, False, separator == preferred, 0)
        same = sum(_width(line, separator) == width for line in filled[1:])
        agreeing = (same + 1) / len(filled)
        # Texts hold commas, hardly ever tabs.
        return (max(agreeing, 0.1), separator == "\t", separator == preferred, width)

    return Dialect(max(SEPARATORS, key=fit))


def _width(line: str, separator: str) -> int:
    return len(_split(line, separator) or line.split(separator))


def _split(text: str, separator: str, *, is_strict: bool = True) -> list[str] | None:
    """Return the fields of one row by the rules of csv, None if its quotes are against them."""
    if '"' not in text:
        return text.split(separator)
    try:
        rows = list(csv.reader([text], delimiter=separator, strict=is_strict))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


class RowReader:
    """Reads rows and counts what was odd.

    Args:
        lines: Lines without their ends, the header first.
        dialect: How fields are parted.
        header: Names of the columns where the file has no line of them.
    """

    def __init__(
        self, lines: Iterator[str], dialect: Dialect, header: list[str] | None = None
    ) -> None:
        self._lines = lines
        self._separator = dialect.separator
        self._ahead: list[str] = []
        self._num_short = self._num_literal = 0
        self._first_short = self._first_literal = 0
        self._num_headers = self._num_as_text = 0
        self.bad: list[tuple[int, str, str]] = []
        self.padded: set[int] = set()
        """Rows with more fields than the header, the surplus ones empty."""
        self.header: list[str] = header or []
        for _ in range(dialect.skip):
            self._next()
        if header is None:
            self.header = self._read_header()

    def _read_header(self) -> list[str]:
        line = self._next()
        while line is not None and not line.strip():
            line = self._next()
        if line is None:
            return []
        # A name may hold a line break, quoted: read it as a row of any width.
        fields, used = self._quoted(line, 0)
        if fields is None:
            return line.strip("\ufeff").split(self._separator)
        self._drop(used)
        return [name.strip("\ufeff") for name in fields]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (row from 1, fields), as many fields as the header has."""
        width = len(self.header)
        row = 0
        while (line := self._next()) is not None:
            if not line.strip():
                continue
            row += 1
            fields = self._row(line, row)
            if '="' in line:
                fields = [self._text(field) for field in fields]
            if len(fields) > width and not any(field.strip() for field in fields[width:]):
                self.padded.add(row)
                del fields[width:]
            if len(fields) > width:
                self.bad.append((row, SURPLUS, line[:200]))
                continue
            if len(fields) < width:
                self._num_short += 1
                self._first_short = self._first_short or row
                fields += [""] * (width - len(fields))
            if width > 1 and self._is_header(fields):
                self._num_headers += 1  # files with a header each, put together
                continue
            if any(fields) or width == 0:
                yield row, fields

    def _is_header(self, fields: list[str]) -> bool:
        """Return whether a row says the names of the columns; the first says for nearly all."""
        is_like = fields[0].strip("\ufeff") == self.header[0]
        return is_like and [field.strip("\ufeff") for field in fields] == self.header

    def shifted(self, records: Sequence[tuple[int, list[str]]]) -> set[int]:
        """Return the rows whose surplus field, though the last is empty, seems to shift the others.

        `1,Pan, red,Aro,9 EUR,` is a title with a comma and an empty last column. Where every other
        row ends in a separator too much, nothing is shifted.

        Args:
            records: What `rows` gave.
        """
        if not self.padded or 2 * len(self.padded) >= len(records):
            return set()
        seen: list[set[str]] = [set() for _ in self.header]
        for row, fields in records:
            if row not in self.padded:
                for shapes, field in zip(seen, fields, strict=True):
                    shapes.add(_shape(field))
        return {
            row
            for row, fields in records
            if row in self.padded
            and any(_shape(f) not in shapes for f, shapes in zip(fields, seen, strict=True))
        }

    def notes(self) -> list[str]:
        """Return what was odd, in words."""
        notes = []
        if self._num_short:
            notes.append(
                f"{self._num_short} rows have fewer fields than the header (first: row "
                f"{self._first_short}); the missing ones are empty"
            )
        if self._num_headers:
            notes.append(f"{self._num_headers} rows repeat the header and are none")
        if self._num_as_text:
            notes.append(f'{self._num_as_text} fields are ="..." of a spreadsheet, read without it')
        if self._num_literal:
            notes.append(
                f"{self._num_literal} rows have a quote that quotes nothing (first: row "
                f"{self._first_literal}); it is kept as a character"
            )
        return notes

    def _row(self, line: str, row: int) -> list[str]:
        if '"' not in line:
            return line.split(self._separator)
        width = len(self.header)
        alone = _split(line, self._separator)
        if alone is not None:
            literal = line.split(self._separator)
            # Quotes that close, around a separator: believed unless only the plain reading fits.
            if len(alone) == width or len(literal) != width:
                return alone
            return self._literal(literal, row)
        fields, used = self._quoted(line, width)
        if fields is not None:
            self._drop(used)
            return fields
        literal = line.split(self._separator)
        if len(literal) != width:
            loose = _split(line, self._separator, is_strict=False)
            literal = loose if loose and len(loose) == width else literal
        return self._literal(literal, row)

    def _text(self, field: str) -> str:
        match = _AS_TEXT.fullmatch(field.strip())
        self._num_as_text += match is not None
        return match[1] if match else field

    def _literal(self, fields: list[str], row: int) -> list[str]:
        self._num_literal += 1
        self._first_literal = self._first_literal or row
        return [_unquote(field) for field in fields]

    def _quoted(self, line: str, width: int) -> tuple[list[str] | None, int]:
        """Return the row that begins with `line` and goes on over more; and how many more.

        None if the quotes of the lines that follow do not make a row of `width` fields out of it
        (0 = any width). What is wrong in a beginning stays wrong, so the first end decides.
        """
        lines, quotes, size = [line], line.count('"'), len(line)
        whole = self._is_whole(line)
        while len(lines) < _MOST_LINES and size < _MOST_CHARS:
            if quotes % 2 == 0:
                fields = _split("\n".join(lines), self._separator)
                is_row = fields is not None and (not width or self._fits(fields, lines, whole))
                return (fields, len(lines) - 1) if is_row else (None, 0)
            more = self._peek(len(lines) - 1)
            if more is None:
                break
            lines.append(more)
            whole = whole and self._is_whole(more)
            quotes, size = quotes + more.count('"'), size + len(more)
        return None, 0

    def _fits(self, fields: list[str], lines: list[str], whole: bool) -> bool:
        width = len(self.header)
        if any(field.strip() for field in fields[width:]):
            return False
        # Where every line is a whole row by itself, the quotes are characters: two titles that
        # begin with one. In a csv file of few lines that can be chance, and quotes are believed.
        is_sure = self._separator == "\t" or (width > 3 and len(lines) > 2)
        return not (len(lines) > 1 and whole and is_sure)

    def _is_whole(self, line: str) -> bool:
        """Return whether a line is a row of full width whose quotes could be characters."""
        fields = line.split(self._separator)
        num_open = sum(field.count('"') % 2 for field in fields)
        return len(fields) == len(self.header) and num_open <= 1

    def _next(self) -> str | None:
        return self._ahead.pop(0) if self._ahead else next(self._lines, None)

    def _peek(self, place: int) -> str | None:
        while len(self._ahead) <= place:
            line = next(self._lines, None)
            if line is None:
                return None
            self._ahead.append(line)
        return self._ahead[place]

    def _drop(self, count: int) -> None:
        del self._ahead[:count]


def _unquote(field: str) -> str:
    """Return a field without its quotes if it is well quoted by itself."""
    inner = field[1:-1]
    is_quoted = len(field) > 1 and field[0] == field[-1] == '"'
    return inner.replace('""', '"') if is_quoted and '"' not in inner.replace('""', "") else field


def _shape(field: str) -> str:
    """Return what a field looks like: nothing, a number, a link or a text."""
    text = field.strip()
    if not text:
        return ""
    if "/" in text and "." in text and " " not in text:
        return "link"
    return "number" if text[0].isdigit() or text[-1].isdigit() else "text"
