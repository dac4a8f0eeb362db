"""Values of a feed beside the one that counts: a second product type, a title once more."""

from typing import Any

import pandas as pd

from smar.sources.cells import as_text
from smar.sources.feed_columns import Columns
from smar.sources.texts import clean

# Of links all count, and prices have rules of their own.
_FIRST_COUNTS = (
    "id", "group_id", "gtin", "title", "description", "brand", "mpn", "size", "colour",
    "availability", "category",
)  # fmt: skip
_BETWEEN = " | "


def first_element(cell: Any) -> Any:
    """Return the first element of a repeated element, everything else as it is."""
    if isinstance(cell, list | tuple):
        return next((element for element in cell if as_text(element).strip()), None)
    if isinstance(cell, dict):
        return next((cell[name] for name in ("value", "name", "title") if cell.get(name)), cell)
    return cell


def has_levels(cell: Any) -> bool:
    """Return whether a cell holds several categories with levels, and not the levels of one."""
    return isinstance(cell, list | tuple) and any(">" in as_text(element) for element in cell)


def spare_values(frame: pd.DataFrame, columns: Columns) -> dict[str, list[str]]:
    """Return what columns hold beside the value that counts, by column; "" for nothing.

    The first column that has a value counts, and of a repeated element the first one. What says
    the same again is left out.

    Args:
        frame: The feed.
        columns: What its columns are.
    """
    spare: dict[str, list[str]] = {}
    for ours in _FIRST_COUNTS:
        if ours in columns.templates:
            continue
        names = columns.sources[ours]
        if len(names) == 1 and not _has_lists(frame[names[0]]):
            continue
        counts = [""] * len(frame)
        for name in names:
            found = [
                _beside(cell, before, is_category=ours == "category")
                for cell, before in zip(frame[name], counts, strict=True)
            ]
            counts = [taken for taken, _ in found]
            further = [text for _, text in found]
            if any(further):
                spare[name] = further
    return spare


def _has_lists(cells: pd.Series) -> bool:
    """Return whether any cell is a repeated element; a column of texts has none."""
    return cells.dtype == object and any(isinstance(cell, list | tuple) for cell in cells)


def _beside(cell: Any, before: str, *, is_category: bool) -> tuple[str, str]:
    """Return the value that counts, and what a cell holds beside it.

    Args:
        cell: The cell.
        before: The value that counts already, "" if none does.
        is_category: Whether a list may be the levels of one category.
    """
    if not isinstance(cell, list | tuple) or (is_category and not has_levels(cell)):
        text = clean(cell if is_category else first_element(cell))
        return (before, text if text != before else "") if before else (text, "")
    texts = list(dict.fromkeys(text for element in cell if (text := clean(element))))
    if not before:
        before, texts = (texts[0] if texts else ""), texts[1:]
    return before, _BETWEEN.join(text for text in texts if text != before)
