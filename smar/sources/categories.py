"""Categories as levels, "Shoes > Boots", whatever parts them in a feed."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from smar.errors import DataError
from smar.sources.cells import MOST_KEPT, CodedCells
from smar.sources.encodings import open_text
from smar.sources.google_categories import GOOGLE_CATEGORIES
from smar.sources.texts import clean

_MARKS = re.compile(r"\s*(?:>+|\u00bb|\u203a|\u2192|\u2794|::|->|\|+|\s/\s)\s*")
_SLASH = re.compile(r"(?<=[^\W\d_]{2})/(?=[^\W\d_]{2})")
_NUMBER = re.compile(r"(\d{1,6})(?:\.0+)?")  # 187.0: from a column of floats
# A line of Google's list in place of a number: "187 - Apparel & Accessories > Shoes".
_NUMBERED = re.compile(r"(\d{1,6})\s*-\s*(?=\D)")
_LINE = re.compile(r"(\d+)\s*-\s*(.+)")


def category_levels(
    cells: Sequence[Any] | pd.Series | CodedCells, numbers: Mapping[str, str]
) -> tuple[CodedCells, int]:
    """Return each category with its levels parted by " > ", and how many numbers are unknown.

    ">", "|", "/" and their like part levels. A slash does so only where nothing else does and the
    whole is not itself one level of another category ("Audio/Video > TVs").

    Args:
        cells: Texts, or lists of levels.
        numbers: Levels of the categories that are given as numbers.
    """
    coded = CodedCells.of(cells)
    split = [
        _levels_of(cell) if isinstance(cell, str) else _levels(cell) for cell in coded.distinct
    ]
    known = {level for levels in split if len(levels) > 1 for level in levels}
    result = []
    is_unknown = np.zeros(len(split), bool)
    for place, levels in enumerate(split):
        alone = _NUMBER.fullmatch(levels[0]) if len(levels) == 1 else None
        if alone:
            is_unknown[place] = alone[1] not in numbers
            result.append(numbers.get(alone[1], alone[1]))
            continue
        named = _without_number(levels, numbers)
        is_whole = len(named) != 1 or named[0] in known
        result.append(" > ".join(named if is_whole else _SLASH.split(named[0])))
    return CodedCells(result, coded.codes), int(is_unknown[coded.codes].sum())


def _without_number(levels: Sequence[str], numbers: Mapping[str, str]) -> Sequence[str]:
    """Return levels without the number that a line of Google's list begins with."""
    match = _NUMBERED.match(levels[0]) if levels else None
    if not match or (match[1] not in numbers and len(levels) == 1):
        return levels
    return [levels[0][match.end() :], *levels[1:]]


@lru_cache(MOST_KEPT)
def _levels_of(text: str) -> tuple[str, ...]:
    return tuple(_levels(text))


def _levels(cell: Any) -> list[str]:
    parts = cell if isinstance(cell, list | tuple) else _MARKS.split(clean(cell))
    levels = [clean(part).strip(" >|") for part in parts]
    return [level for level in levels if level]


def category_numbers(path: Path | None) -> dict[str, str]:
    """Return the levels of Google's category numbers.

    Args:
        path: A file of Google ("taxonomy-with-ids"), in any language; None for the numbers that
            are known without one: the first two levels and what is sold most.

    Raises:
        DataError: If the file is missing, or no such list.
    """
    if path is None:
        return dict(GOOGLE_CATEGORIES)
    if not path.is_file():
        raise DataError(f"{path}: no such file. Check ingest.feed.taxonomy in params.yaml.")
    lines = (_LINE.fullmatch(line.strip()) for line in open_text(path).lines())
    numbers = {match[1]: match[2] for match in lines if match}
    if not numbers:
        raise DataError(
            f"{path}: no line like '187 - Apparel & Accessories > Shoes'; expected the list with "
            "ids that Google publishes. Check ingest.feed.taxonomy in params.yaml."
        )
    return numbers
