"""Excel books: the first sheet that holds anything."""

import io
from pathlib import Path
from typing import Any

import openpyxl

from smar.errors import DataError

Row = tuple[Any, ...]


def read_grid(path: Path) -> tuple[list[Row], str, list[str]]:
    """Return the cells of the first filled sheet, its title, and titles of other filled sheets.

    Raises:
        DataError: If the file is no Excel book, or an empty one.
    """
    try:
        # From its bytes: openpyxl goes by the name, and a book may have any.
        content = io.BytesIO(path.read_bytes())
        book = openpyxl.load_workbook(content, read_only=True, data_only=True)
        sheets = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}
        book.close()
    except Exception as error:  # openpyxl lets those of zip, XML and itself through
        step = "If it is a zip archive of other files, unpack it and name the one inside."
        raise DataError(f"{path}: cannot be read as an Excel book: {error}. {step}") from error
    filled = {name: rows for name, rows in sheets.items() if any(is_filled(r) for r in rows)}
    if not filled:
        raise DataError(f"{path}: no rows, expected at least one.")
    title, grid = next(iter(filled.items()))
    return grid, title, [name for name in filled if name != title]


def is_filled(row: Row) -> bool:
    """Return whether any cell of a row holds something."""
    return any(value is not None and str(value).strip() for value in row)
