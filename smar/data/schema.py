"""The tables every stage reads and writes, as Arrow schemas; parquet on disk.

items        one row per item of the catalogue
queries      one row per distinct normalised query text and split
searches     one row per search in the log
engagements  one row per click, add to cart or purchase
judgements   one row per judged (query, item) pair
synthetic    one row per synthetic (query, item) pair
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from smar.errors import ArtifactError
from smar.replace import write_file

if TYPE_CHECKING:
    import pandas as pd

# Soft hyphen, widths of nothing, directions of writing, byte order mark; not the joiners that
# Persian words and emoji are made with.
UNSEEN = r"[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
_UNSEEN = re.compile(UNSEEN)
ACTIONS = ("click", "add_to_cart", "purchase")
LOGGED = ("train", "validation", "apart")
"""Splits of logged queries: trained on; chosen by; left alone, as a test query has their stems."""
JUDGED = ("trial", "test")
"""Splits of judged queries: a release is decided on them; nothing is, and nothing learns them."""
SPLITS = (*LOGGED, *JUDGED)

ITEMS = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("description", pa.string(), nullable=False),
        pa.field("brand", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),  # "A > B > C", "" if unknown
        pa.field("attributes", pa.string(), nullable=False),  # "name: value; name: value"
        pa.field("group_id", pa.string(), nullable=False),  # item_group_id, "" if none
        pa.field("price", pa.float64()),  # the lower end of a range
        pa.field("price_max", pa.float64()),  # its upper end, null for a single price
        pa.field("currency", pa.string(), nullable=False),
        pa.field("sale_price", pa.float64()),
        pa.field("sale_from", pa.timestamp("us", tz="UTC")),  # of the sale price
        pa.field("sale_to", pa.timestamp("us", tz="UTC")),
        pa.field("availability", pa.string(), nullable=False),  # in_stock, out_of_stock, ...
        pa.field("gtin", pa.string(), nullable=False),
        pa.field("mpn", pa.string(), nullable=False),
        pa.field("size", pa.string(), nullable=False),
        pa.field("colour", pa.string(), nullable=False),
        pa.field("more", pa.string(), nullable=False),  # JSON: column of the feed -> text; or ""
        pa.field("image_ids", pa.list_(pa.int64()), nullable=False),  # rows of the picture store
    ]
)
# Columns that item tables of earlier releases do not have; they are read as unknown.
_LATER = (
    "price_max", "sale_price", "sale_from", "sale_to", "availability", "gtin", "mpn", "size",
    "colour", "more",
)  # fmt: skip
QUERIES = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("query", pa.string(), nullable=False),  # normalised
        pa.field("split", pa.string(), nullable=False),
        pa.field("num_searches", pa.int64(), nullable=False),  # in the log's training part
    ]
)
SEARCHES = pa.schema(
    [
        pa.field("search_id", pa.string(), nullable=False),
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("client_id", pa.string(), nullable=False),
        pa.field("timestamp", pa.timestamp("us", tz="UTC")),  # null where the log has none
        # Item ids, best first; null at a place of which nothing is known.
        pa.field("shown", pa.list_(pa.string()), nullable=False),
    ]
)
ENGAGEMENTS = pa.schema(
    [
        pa.field("search_id", pa.string(), nullable=False),
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("position", pa.int64()),  # 1 = first result
        pa.field("timestamp", pa.timestamp("us", tz="UTC")),
    ]
)
JUDGEMENTS = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("grade", pa.int64(), nullable=False),
    ]
)
SYNTHETIC = pa.schema(
    [
        pa.field("query", pa.string(), nullable=False),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),  # train | validation
    ]
)

# What a shop is made of, in the order of what refers to what.
TABLES = {
    "items": ITEMS,
    "queries": QUERIES,
    "searches": SEARCHES,
    "engagements": ENGAGEMENTS,
    "judgements": JUDGEMENTS,
}


def normalize_query(text: str) -> str:
    """Return the form that spellings of one query share: NFKC, lower case, single spaces.

    Characters that cannot be seen are left out, and a Turkish capital I with a dot is an i.
    """
    text = unicodedata.normalize("NFKC", text).lower()
    if not text.isascii():
        text = _UNSEEN.sub("", text).replace("i\u0307", "i")
    return " ".join(text.split())


# A flipped bit is noticed when the table is read.
_WRITTEN: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
_GROUP_ROWS = 1024 * 1024  # of a row group, as Arrow writes a table


def write_table(path: Path, frame: "pd.DataFrame", schema: pa.Schema) -> None:
    """Write a table whole or not at all, with exactly the columns and types of `schema`."""
    write_arrow(path, table_of(frame, schema))


def table_of(frame: "pd.DataFrame", schema: pa.Schema) -> pa.Table:
    """Return a frame as a table of exactly the columns and types of `schema`."""
    table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    return table.replace_schema_metadata()


def read_table(path: Path, schema: pa.Schema) -> "pd.DataFrame":
    """Return a table as a data frame; as `read_columns`."""
    return cast("pd.DataFrame", read_columns(path, schema).to_pandas())


def read_columns(path: Path, schema: pa.Schema) -> pa.Table:
    """Return a table after checking its columns and types.

    Raises:
        ArtifactError: If the file is missing, not parquet, or has other columns or types.
    """
    table = _with_later_columns(read_arrow(path), schema)
    if not table.schema.equals(schema):
        raise ArtifactError(
            f"{path}: columns are\n{table.schema}\nexpected\n{schema}\nRun `dvc repro` again."
        )
    return table


def _with_later_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return an item table of an earlier release with the columns that came after it."""
    missing = [name for name in schema.names if name not in table.schema.names]
    is_earlier = set(table.schema.names) <= set(schema.names)  # else a name may be damaged
    if not missing or not is_earlier or not set(missing) <= set(_LATER):
        return table
    for name in missing:
        field = schema.field(name)
        column = pa.nulls(len(table), field.type) if field.nullable else pa.repeat("", len(table))
        table = table.append_column(field, column)
    return table.select(schema.names)


def read_arrow(path: Path) -> pa.Table:
    """Return a table as it is, whatever its columns.

    Raises:
        ArtifactError: If the file is missing, not parquet, or damaged.
    """
    with _opened(path) as file:
        return file.read()


class StoredTable:
    """A stored table of which columns are read when they are asked for; all else reads it whole.

    It can be used as the `pyarrow.Table` that `read_arrow` returns. What nobody asks for is not
    checked either: it is for files that were read whole before.

    Args:
        path: The file.

    Raises:
        ArtifactError: As `read_arrow`, of a column when it is asked for.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._columns = path, dict[str, pa.ChunkedArray]()
        self._whole: pa.Table | None = None
        with _opened(path) as file:
            self.schema: pa.Schema = file.schema_arrow
            self.num_rows = int(file.metadata.num_rows)

    def __len__(self) -> int:
        return self.num_rows

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        if self._whole is not None or self.schema.names.count(name) != 1:
            return self.whole()[name]
        if name not in self._columns:
            with _opened(self._path) as file:
                self._columns[name] = file.read(columns=[name])[name]
        return self._columns[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.whole(), name)

    def select(self, names: Sequence[str]) -> pa.Table:
        """Return a table of some columns."""
        fields = [self.schema.field(name) for name in names]
        schema = pa.schema(fields, self.schema.metadata)
        return pa.Table.from_arrays([self[name] for name in names], schema=schema)

    def whole(self) -> pa.Table:
        """Return the table with all columns."""
        if self._whole is None:
            self._whole = read_arrow(self._path)
            self._columns.clear()
        return self._whole

    def null_count(self, name: str) -> int:
        """Return how many values of a column are missing; where the file allows none, none are."""
        return int(self[name].null_count) if self.schema.field(name).nullable else 0


def read_batches(
    path: Path, schema: pa.Schema, columns: Sequence[str], *, rows: int = 8192
) -> Iterator[pa.RecordBatch]:
    """Yield some columns of a table, at most `rows` rows at a time: memory holds one row group.

    Raises:
        ArtifactError: As `read_table`, for the columns that are read.
    """
    with _opened(path) as file:
        wanted = pa.schema([schema.field(name) for name in columns])
        there = [name for name in columns if name in file.schema_arrow.names]
        found = pa.schema([file.schema_arrow.field(name) for name in there])
        if not found.equals(wanted):
            raise ArtifactError(
                f"{path}: columns are\n{found}\nexpected\n{wanted}\nRun `dvc repro` again."
            )
        yield from file.iter_batches(rows, columns=list(columns))


def num_rows(path: Path) -> int:
    """Return how many rows a table has.

    Raises:
        ArtifactError: As `read_arrow`.
    """
    with _opened(path) as file:
        return int(file.metadata.num_rows)


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Yield a parquet file whose pages are checked as they are read."""
    if not path.is_file():
        raise ArtifactError(f"{path}: not found. Run `dvc repro` to make it.")
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PAR1":  # the one part of the file that Arrow does not look at
                raise pa.ArrowInvalid("it does not begin with PAR1")
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise ArtifactError(
            f"{path}: not a readable parquet file ({error}). Restore it with `dvc checkout`."
        ) from error


def coded(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    """Return a schema in which columns of few distinct texts are numbers (int8) of these."""
    numbered = pa.dictionary(pa.int8(), pa.string())
    fields = [field.with_type(numbered) if field.name in names else field for field in schema]
    return pa.schema(fields)


def write_batches(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write a table that comes in parts, whole or not at all, and return its number of rows.

    In the file columns of a `coded` schema are texts, as others are. However a table is parted, the
    bytes are the same, and those that `write_table` writes of the whole where no column is coded;
    memory holds one row group.
    """
    rows, waiting = 0, list[pa.RecordBatch]()
    is_coded = any(pa.types.is_dictionary(field.type) for field in schema)
    with (
        write_file(path) as temporary,
        pq.ParquetWriter(temporary, schema, store_schema=not is_coded, **_WRITTEN) as writer,
    ):

        def write(least: int) -> None:
            nonlocal waiting
            table = pa.Table.from_batches(waiting, schema)
            while len(table) >= least:
                writer.write_table(table.slice(0, _GROUP_ROWS))
                table = table.slice(_GROUP_ROWS)
                least = max(least, 1)
            waiting = table.to_batches()

        for batch in batches:
            waiting.append(batch)
            rows += len(batch)
            if sum(map(len, waiting)) >= _GROUP_ROWS:
                write(_GROUP_ROWS)
        write(0 if not rows else 1)
    return rows


def write_arrow(path: Path, table: pa.Table) -> None:
    """Write a table whole or not at all."""
    with write_file(path) as temporary:
        pq.write_table(table.replace_schema_metadata(), temporary, **_WRITTEN)
