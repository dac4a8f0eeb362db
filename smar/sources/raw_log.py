"""A log as it was written, in columns: what the readers of every kind of log make."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_BATCH = 20_000
QUERIES = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("search_id", pa.string()),  # "" for none, as in every text below
        pa.field("client_id", pa.string()),
        pa.field("application", pa.string()),
        pa.field("query", pa.string()),
        pa.field("timestamp", pa.string()),
        pa.field("shown", pa.list_(pa.string())),
    ]
)
EVENTS = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("search_id", pa.string()),
        pa.field("client_id", pa.string()),
        pa.field("application", pa.string()),
        pa.field("query", pa.string()),
        pa.field("timestamp", pa.string()),
        pa.field("item_id", pa.string()),
        pa.field("action", pa.string()),  # of `actions.MEANINGS`, or SAID
        pa.field("position", pa.string()),
    ]
)
_NOBODY = pa.array(
    ["(not set)", "(not provided)", "anonymous", "anon", "guest", "unknown", "-", "0",
     "00000000-0000-0000-0000-000000000000"]
)  # fmt: skip
# What exporters write where there is nothing.
NOTHING = frozenset({"null", "NULL", "nan", "NaN", "None", "undefined", "N/A", "\\N"})
# An event that says which text a search had, and is no engagement.
SAID = "said"


class Columns:
    """Rows that become columns as they come, so that no record outlives its batch.

    Args:
        schema: Names and types.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._pending: list[tuple[Any, ...]] = []
        self._batches: list[pa.RecordBatch] = []

    def add(self, row: tuple[Any, ...]) -> None:
        """Add a row, its values in the order of the schema.

        Of a text column it may be any value of JSON or parquet: `text_of` is taken of it.
        """
        self._pending.append(row)
        if len(self._pending) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        columns = zip(*self._pending, strict=True)
        arrays = [
            pa.array(_texts(column) if kind.type == pa.string() else column, kind.type)
            for column, kind in zip(columns, self._schema, strict=True)
        ]
        self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._pending = []

    def table(self) -> pa.Table:
        """Return all rows."""
        if self._pending:
            self._flush()
        return pa.Table.from_batches(self._batches, schema=self._schema)

    def extend(self, table: pa.Table) -> None:
        """Add the rows of a table of the same schema."""
        if self._pending:
            self._flush()
        self._batches += table.to_batches()

    def replace(self, name: str, values: pd.Series) -> None:
        """Replace a column of texts."""
        table = self.table()
        place = table.schema.get_field_index(name)
        table = table.set_column(place, self._schema.field(name), pa.array(values, pa.string()))
        self._batches = table.to_batches()


def known_clients(table: pa.Table, notes: Counter[str]) -> pa.Table:
    """Return a table without the clients that are nobody: "(not set)", "anonymous".

    They are all visitors that a shop cannot tell apart, and no one of them.

    Args:
        table: As `QUERIES` or `EVENTS`.
        notes: Takes the number of rows.
    """
    place = table.schema.get_field_index("client_id")
    column = table.column(place)
    is_nobody = pc.is_in(pc.utf8_lower(pc.fill_null(column, "")), value_set=_NOBODY)
    number = pc.sum(is_nobody).as_py() or 0
    if not number:
        return table
    notes["rows of clients that are nobody, such as '(not set)'"] += number
    return table.set_column(place, table.schema.field(place), pc.if_else(is_nobody, "", column))


@dataclass
class RawLog:
    """What a log's files say, before anything is joined or judged.

    Args:
        queries: Rows of searches.
        events: Rows of events that name an item, or the text of a search.
        others: Events that are neither, by the name of their action.
        notes: What else was met, by what it is.
    """

    queries: Columns = field(default_factory=lambda: Columns(QUERIES))
    events: Columns = field(default_factory=lambda: Columns(EVENTS))
    others: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)


def text_of(value: object) -> str:
    """Return the text of a value of JSON or parquet; "" for what means none.

    Whole numbers lose a decimal point that only their container gave them (1001.0); half a
    character (a lone surrogate) is left out, as no file can hold it.
    """
    if isinstance(value, str):
        # Nearly every value of a log: ASCII, printable, without blanks around it.
        if not (value.isascii() and value.isprintable()):
            value = value.encode("utf-8", "ignore").decode("utf-8").replace("\0", "")
        text = value.strip()
        return "" if text in NOTHING else text
    if value is None or value is pd.NaT:
        return ""
    if isinstance(value, float):
        return _plain_number(value)
    if isinstance(value, dict):  # extended JSON of document stores: {"$oid": ...}, {"$date": ...}
        inner = next((v for name, v in value.items() if str(name).startswith("$")), None)
        return text_of(inner)
    if isinstance(value, list | tuple):
        return text_of(value[0]) if len(value) == 1 else ""
    return str(value.isoformat() if hasattr(value, "isoformat") else value).strip()


def are_plain(values: Sequence[Any]) -> bool:
    """Return whether all are texts that `text_of` would not change.

    They are looked at together, at a tenth of the time that each by itself would take.
    """
    try:
        joined = "".join(values)
    except TypeError:  # not all are texts
        return False
    is_plain = joined.isascii() and joined.isprintable() and " " not in joined
    return is_plain and NOTHING.isdisjoint(values)


def _texts(column: Sequence[Any]) -> Sequence[str]:
    """Return `text_of` each value of a column."""
    if are_plain(column):
        return column
    if set(map(type, column)) == {type(None)}:
        return [""] * len(column)
    return [text_of(value) for value in column]


def _plain_number(number: float) -> str:
    if math.isnan(number):
        return ""
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
