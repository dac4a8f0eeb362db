"""Whether a table has the columns and types that its schema names."""

import pandas as pd
import pyarrow as pa

from smar.data.schema import StoredTable
from smar.validation.contract import STOP, Contract, Rule, between, holds


def contract(table: str) -> Contract:
    """Return what the columns of a table promise."""
    rules = [
        Rule("columns", STOP, "the columns and types of its schema", holds("as_expected"), "seen"),
        Rule("values_required", STOP, "a value in every row where the schema requires one",
             between("missing_values", most=0)),
    ]  # fmt: skip
    return Contract(table, "columns", rules, key="column")


def column_table(table: pa.Table | StoredTable, schema: pa.Schema) -> pd.DataFrame:
    """Return one row per column: its type, the expected one, and missing values where forbidden."""
    names = list(dict.fromkeys([*schema.names, *table.schema.names]))
    rows = []
    for name in names:
        wanted = schema.field(name).type if name in schema.names else None
        seen = table.schema.field(name).type if table.schema.names.count(name) == 1 else None
        required = wanted is not None and not schema.field(name).nullable
        rows.append(
            {
                "column": name,
                "seen": f"{'no such column' if seen is None else seen}, expected "
                f"{'none' if wanted is None else wanted}",
                "as_expected": seen is not None and seen == wanted,
                "missing_values": _missing(table, name) if seen is not None and required else 0,
            }
        )
    return pd.DataFrame(rows)


def _missing(table: pa.Table | StoredTable, name: str) -> int:
    if isinstance(table, StoredTable):
        return table.null_count(name)
    return int(table[name].null_count)
