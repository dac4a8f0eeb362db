"""Cells of tables as texts, and names of columns: small rules that all formats share."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.data.membership import listed

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


def cells_in(column: pd.Series) -> list[Any]:
    """Return the cells of a column; of one of texts, at a fifth of what `tolist` takes."""
    is_of_texts = isinstance(column.dtype, pd.StringDtype) and not column.hasnans
    return listed(column) if is_of_texts else column.tolist()


def distinct_cells(*columns: Sequence[Any]) -> tuple[list[tuple[Any, ...]], NDArray[np.int64]]:
    """Return the distinct cells of columns side by side, and the place of each row's among them.

    They come in the order in which they are met first. Cells that are no texts are never told to be
    the same: 1, 1.0 and True are equal and are not written alike.

    Args:
        *columns: Columns of the same length; the first decides what is no text.
    """
    places: dict[Any, int] = {}
    keys: list[tuple[Any, ...]] = []
    codes = np.empty(len(columns[0]), np.int64)
    for row, cells in enumerate(zip(*columns, strict=True)):
        key = cells if cells[0].__class__ is str else row
        place = places.setdefault(key, len(keys))
        if place == len(keys):
            keys.append(cells)
        codes[row] = place
    return keys, codes


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
