"""What a folder holds of a data set: files, columns, rows."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from smar.datasets.dataset import Dataset, Expected, Form, Source
from smar.errors import DataError, list_problems
from smar.sources.delimited import sniff
from smar.sources.encodings import open_text

_SNIFFED = 20  # lines that tell how the fields of a text are parted
_TABLES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Found:
    """What there is of one expected entry.

    Args:
        expected: The entry.
        paths: Its files.
        problems: What is wrong with them, "" is never in it.
        rows: Their rows together; -1 where counting would mean to read them through.
    """

    expected: Expected
    paths: list[Path]
    problems: list[str]
    rows: int = -1


def find_source(dataset: Dataset, folder: Path) -> Source:
    """Return the folder of a data set after a check of its files and columns.

    Raises:
        DataError: If it is none; lists everything that is missing of the form it is closest to.
    """
    looked = look(dataset, folder)
    if looked is None:
        raise DataError(f"{folder}: no such folder. Name the one that holds {dataset.title}.")
    form, found = looked
    problems = problems_of(found)
    if problems:
        others = [other.name for other in dataset.forms if other is not form]
        or_else = f" (or as {', or as '.join(others)})" if others else ""
        headline = (
            f"{folder}: is not {dataset.title} as {form.name}{or_else}. Get it from "
            f"{dataset.origin}, or name the folder that holds it:"
        )
        raise DataError(list_problems(headline, problems))
    return Source(folder, form.name, {one.expected.key: one.paths for one in found})


def look(dataset: Dataset, folder: Path) -> tuple[Form, list[Found]] | None:
    """Return the form that a folder comes closest to and what there is of it; None: no folder."""
    if not folder.is_dir():
        return None
    looks = [(form, [_find(folder, one) for one in form.files]) for form in dataset.forms]
    # The form with the least that is missing; of equal ones the one of which most is there.
    return min(
        looks, key=lambda look: (len(problems_of(look[1])), -sum(len(f.paths) for f in look[1]))
    )


def problems_of(found: Sequence[Found]) -> list[str]:
    """Return what keeps a folder from being read, one sentence each."""
    problems = []
    for one in found:
        if one.expected.is_needed and not one.paths:
            problems.append(f"no {one.expected.pattern} ({one.expected.what})")
        problems += one.problems
    return problems


def _find(folder: Path, expected: Expected) -> Found:
    """Return the files of an entry, in the folder itself or else anywhere below it."""
    paths = sorted(path for path in folder.glob(expected.pattern) if path.exists())
    if not paths:
        below = folder.rglob(expected.pattern)
        paths = sorted(p for p in below if not any(part[0] == "." for part in _inside(p, folder)))
    problems: list[str] = []
    rows = 0
    for path in paths:
        if path.is_dir():
            continue
        names, count = _columns(path, problems)
        rows = -1 if count < 0 or rows < 0 else rows + count
        missing = [name for name in expected.columns if name not in names]
        if missing and (names or not problems):
            problems.append(
                f"{path}: no column {', '.join(missing)}; it has {', '.join(names) or 'none'}"
            )
    return Found(expected, paths, problems, rows if paths else -1)


def _inside(path: Path, folder: Path) -> tuple[str, ...]:
    return path.relative_to(folder).parts


def _columns(path: Path, problems: list[str]) -> tuple[list[str], int]:
    """Return the columns of a table and its rows, -1 where they are not counted."""
    if path.suffix == ".parquet":
        try:
            with pq.ParquetFile(path) as file:
                return list(file.schema_arrow.names), int(file.metadata.num_rows)
        except (pa.ArrowException, OSError) as error:
            problems.append(f"{path}: cannot be read as parquet: {error}")
            return [], -1
    if path.suffix not in _TABLES:
        return [], -1
    try:
        lines = list(_first_lines(path))
    except DataError as error:
        problems.append(str(error))
        return [], -1
    if not lines:
        problems.append(f"{path}: is empty")
        return [], -1
    dialect = sniff(lines, "\t" if path.suffix == ".tsv" else ",")
    header = next(csv.reader(lines[dialect.skip :], delimiter=dialect.separator), [])
    return [name.strip().strip("\ufeff") for name in header], -1


def _first_lines(path: Path) -> Iterator[str]:
    lines = open_text(path).lines()
    yield from islice(lines, _SNIFFED)
