"""Cells of tables as texts, and names of columns: small rules that all formats share."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from smar.data.arrow_numbers import numbers_of
from smar.data.membership import in_one_piece

MOST_KEPT = 65_536
"""Texts of a feed whose reading is remembered: brands, categories and prices come often."""


def integral(values: list[Any]) -> list[Any]:
    """Return a column whose floats, if all are whole, are ints, and whose NaN are None.

    Integer columns with a missing value come out of pandas as floats: 1001 as 1001.0.
    """
    floats = [v for v in values if isinstance(v, float)]
    if not floats:
        return values
    numbers = [v for v in floats if not math.isnan(v)]
    is_whole = all(v.is_integer() and abs(v) < 2**53 for v in numbers)
    return [
        v if not isinstance(v, float) else None if math.isnan(v) else int(v) if is_whole else v
        for v in values
    ]


def texts_in(column: pd.Series) -> pa.Array:
    """Return the texts of a column's cells, as `as_text`; one of texts is not gone through."""
    if not _is_of_texts(column):
        return texts_of(column)
    return in_one_piece(pa.array(column, pa.large_string()))


def texts_of(cells: Iterable[Any]) -> pa.Array:
    """Return the text of each cell, as `as_text`."""
    return pa.array([as_text(cell) for cell in cells], pa.large_string())


def nothing(rows: int) -> pa.Array:
    """Return a column without a text, [R]."""
    return pa.repeat(pa.scalar("", pa.large_string()), rows)


def _is_of_texts(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.StringDtype) and not column.hasnans


@dataclass(frozen=True)
class CodedCells:
    """A column of R cells by what is distinct among them.

    Args:
        distinct: Each cell once, in the order they are met first. Cells that are no texts are never
            told to be the same: 1, 1.0 and True are equal and are not written alike.
        codes: The place of each row's cell among them, [R].
    """

    distinct: list[Any]
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, cells: "Sequence[Any] | pd.Series | CodedCells") -> "CodedCells":
        """Return cells by what is distinct among them."""
        if isinstance(cells, CodedCells):
            return cells
        if isinstance(cells, pd.Series) and _is_of_texts(cells):
            coded = in_one_piece(pa.array(cells, pa.large_string())).dictionary_encode()
            return cls(coded.dictionary.to_pylist(), numbers_of(coded.indices).astype(np.int64))
        places: dict[Any, int] = {}
        distinct: list[Any] = []
        codes = np.empty(len(cells), np.int64)
        for row, cell in enumerate(cells):
            place = places.setdefault(cell if cell.__class__ is str else row, len(distinct))
            if place == len(distinct):
                distinct.append(cell)
            codes[row] = place
        return cls(distinct, codes)

    @classmethod
    def empty(cls, rows: int) -> "CodedCells":
        """Return a column without a text, [R]."""
        return cls([""], np.zeros(rows, np.int64))

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def cells(self) -> list[Any]:
        """The cell of every row, [R]."""
        return [self.distinct[code] for code in self.codes.tolist()]

    def texts(self) -> pa.Array:
        """Return the cells, all of them texts, [R]."""
        return pa.array(self.distinct, pa.large_string()).take(pa.array(self.codes))

    def are(self, text: str) -> NDArray[np.bool_]:
        """Return which cells are a text, [R]."""
        return np.array([cell == text for cell in self.distinct], bool)[self.codes]

    def map(self, function: Callable[[Any], Any]) -> "CodedCells":
        """Return what a function makes of the cells; each distinct one is asked once."""
        return CodedCells([function(cell) for cell in self.distinct], self.codes)

    def then(self, other: "CodedCells") -> "CodedCells":
        """Return the cells of this column and those of another behind them."""
        return CodedCells(
            [*self.distinct, *other.distinct],
            np.concatenate([self.codes, other.codes + len(self.distinct)]),
        )

    def or_else(self, other: "CodedCells") -> "CodedCells":
        """Return the cells of this column, and those of another where this one holds ""."""
        codes = np.where(self.are(""), other.codes + len(self.distinct), self.codes)
        return CodedCells([*self.distinct, *other.distinct], codes)._used()

    def where(self, mask: NDArray[np.bool_]) -> "CodedCells":
        """Return the cells where a mask holds, [R], and "" elsewhere."""
        return CodedCells(["", *self.distinct], np.where(mask, self.codes + 1, 0))._used()

    def _used(self) -> "CodedCells":
        coded = pa.array(self.codes).dictionary_encode()
        distinct = [self.distinct[place] for place in coded.dictionary.to_pylist()]
        return CodedCells(distinct, numbers_of(coded.indices).astype(np.int64))


def distinct_pairs(
    first: CodedCells, second: CodedCells
) -> tuple[list[tuple[Any, Any]], NDArray[np.int64]]:
    """Return what is distinct among two columns side by side, and the place of each row, [R].

    The pairs come in the order in which rows have them first.
    """
    width = max(len(second.distinct), 1)
    coded = pa.array(first.codes * width + second.codes).dictionary_encode()
    places = (divmod(both, width) for both in coded.dictionary.to_pylist())
    pairs = [(first.distinct[left], second.distinct[right]) for left, right in places]
    return pairs, numbers_of(coded.indices).astype(np.int64)


def as_text(value: Any) -> str:
    """Return the text of a cell: "" for nothing, plain digits for numbers, JSON for structures."""
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bool | Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=as_text)
    return _plain_number(value)


def _plain_number(value: Any) -> str:
    """Return a number without an exponent, and anything else as Python writes it."""
    number = Decimal(repr(value)) if isinstance(value, float) else value
    is_plain = isinstance(number, Decimal) and number.is_finite()
    return format(number, "f") if is_plain else str(value)


def distinct_names(
    header: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[list[str], list[int]]:
    """Return distinct names of columns, and the places of columns with neither name nor value.

    A second column of one name becomes "name (2)", one without a name "column 5".
    """
    names: list[str] = []
    drop: list[int] = []
    for place, raw in enumerate(header):
        name = raw.strip().strip("\ufeff")
        if not name:
            if not any(row[place] not in {None, ""} for row in rows if _is_plain(row[place])):
                drop.append(place)
                continue
            name = f"column {place + 1}"
        plain, number = name, 1
        while name in names:
            number += 1
            name = f"{plain} ({number})"
        names.append(name)
    return names, drop


def _is_plain(value: object) -> bool:
    return not isinstance(value, list | dict)
