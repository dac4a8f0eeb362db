"""Tables of data sets as texts, parquet batch by batch."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from smar.datasets.dataset import Label, Row
from smar.errors import DataError
from smar.sources.cells import as_text
from smar.sources.tables import read_table

logger = logging.getLogger(__name__)

_BATCH = 2_000


def records(paths: Sequence[Path], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of tables; parquet is read batch by batch, everything else whole.

    Args:
        paths: Tables of the same columns.
        columns: The columns that are wanted; one that a table does not have is left out.

    Raises:
        DataError: If a table cannot be read.
    """
    for path in paths:
        if path.suffix == ".parquet":
            yield from _of_parquet(path, columns)
            continue
        table = read_table(path)
        if table.bad:
            logger.warning(
                "%s: %d rows are left out: %s (the first: %s)",
                *(path, len(table.bad), table.bad[0].reason, table.bad[0].value[:80]),
            )
        names = [name for name in columns if name in table.frame.columns]
        for values in zip(*(table.frame[name] for name in names), strict=True):
            yield dict(zip(names, values, strict=True))


def _of_parquet(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    try:
        with pq.ParquetFile(path) as file:
            names = [name for name in columns if name in file.schema_arrow.names]
            for batch in file.iter_batches(_BATCH, columns=names):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read to its end: {error}. Copy it again.") from error


def text(value: Any) -> str:
    """Return a cell as text on one line, "" for none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # whole numbers beside a missing one are floats in parquet
    return " ".join(as_text(value).split())


def hub_picture(value: Any) -> bytes | None:
    """Return the content of a picture as the hub's parquet files hold it: {bytes, path}."""
    content = value.get("bytes") if isinstance(value, dict) else value
    return content if isinstance(content, bytes) and content else None


def hub_items(
    paths: Sequence[Path], item_id: str, title: str, others: Sequence[str]
) -> Iterator[Row]:
    """Yield every item of the hub's parquet files once, with its picture.

    Args:
        paths: The files.
        item_id: Column of the id.
        title: Column of the title.
        others: Further columns that are kept.
    """
    seen: set[str] = set()
    for record in records(paths, [item_id, title, *others, "image"]):
        key = text(record[item_id])
        if key in seen:
            continue
        seen.add(key)
        fields = {"id": key, "title": text(record[title])}
        fields |= {name: text(record.get(name)) for name in others}
        yield Row(fields, hub_picture(record.get("image")))


def hub_labels(
    paths: Sequence[Path], item_id: str, query: str, grade: str = "", *, query_id: str = ""
) -> Iterator[Label]:
    """Yield the pairs of query and item of the hub's parquet files, grade 1 where they have none.

    Args:
        paths: The files.
        item_id: Column of the item's id.
        query: Column of the query.
        grade: Column of the grade.
        query_id: Column of the query's id; its text without blanks otherwise.
    """
    for record in records(paths, [name for name in (item_id, query, grade, query_id) if name]):
        of_query = text(record[query])
        if of_query:
            key = text(record[query_id]) if query_id else of_query.replace(" ", "_")
            value = text(record[grade]) if grade else "1"
            yield Label(key, of_query, text(record[item_id]), value)
