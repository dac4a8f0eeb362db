"""A shop to be damaged, and what a damage is.

Damages of one round are done to one shop, each to rows that no other touches; `take` finds them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from smar.data import schema

QUARANTINE, STOP, WARN = "quarantine", "stop", "warn"


@dataclass
class DamagedShop:
    """A shop in pandas, to be damaged."""

    frames: dict[str, pd.DataFrame]
    pixels: np.ndarray
    settings: dict[str, Any] = field(default_factory=dict)
    used: dict[str, set[int]] = field(
        default_factory=lambda: {name: set() for name in schema.TABLES}
    )
    schemas: dict[str, pa.Schema] = field(default_factory=lambda: dict(schema.TABLES))

    def tables(self) -> dict[str, pa.Table]:
        """The tables as Arrow, with the types of their schema unless a damage changed them."""
        return {
            name: pa.Table.from_pandas(frame, schema=self.schemas[name], preserve_index=False)
            for name, frame in self.frames.items()
        }

    def take(self, table: str, count: int = 1, where: pd.Series | None = None) -> list[int]:
        """Return rows that no damage has touched and that refer to nothing touched."""
        frame = self.frames[table]
        free = ~frame.index.isin(self.used[table])
        for column, other in (
            ("item_id", "items"),
            ("query_id", "queries"),
            ("search_id", "searches"),
        ):
            if column in frame and other != table:
                touched = self.frames[other].loc[sorted(self.used[other]), column]
                free &= ~frame[column].isin(touched).to_numpy()
        rows = frame.index[free if where is None else free & where.to_numpy(bool)][:count]
        assert len(rows) == count, f"{table} has no {count} rows left"
        self.used[table] |= set(rows)
        return list(rows)

    def set(self, table: str, column: str, values: list[Any], **how: Any) -> list[int]:
        """Set a column of as many fresh rows as there are values; return the rows."""
        rows = self.take(table, len(values), **how)
        frame = self.frames[table].astype({column: object})
        for row, value in zip(rows, values, strict=True):
            frame.at[row, column] = value
        self.frames[table] = frame
        return rows

    def append(self, table: str, rows: pd.DataFrame) -> list[int]:
        """Append rows and return their numbers; searches are counted in their queries."""
        start = len(self.frames[table])
        self.frames[table] = pd.concat([self.frames[table], rows], ignore_index=True)
        added = list(range(start, start + len(rows)))
        self.used[table] |= set(added)
        if table == "searches":
            self.count()
        return added

    def count(self) -> None:
        """Make the number of searches of every query agree with the search table again."""
        queries = self.frames["queries"]
        logged = queries[queries["split"].isin(schema.LOGGED)].set_index("query_id")["query"]
        texts = self.frames["searches"]["query_id"].map(logged).value_counts()
        queries["num_searches"] = queries["query"].map(texts).fillna(0).astype("int64")

    def quiet(self) -> pd.Series:
        """Which searches have no engagement and share their query with another search."""
        searches = self.frames["searches"]
        sizes = searches.groupby("query_id")["query_id"].transform("size")
        return ~searches["search_id"].isin(self.frames["engagements"]["search_id"]) & (sizes > 1)


Apply = Callable[[DamagedShop], list[int] | None]


@dataclass(frozen=True)
class Damage:
    """One kind of damage.

    Args:
        name: The id of its test.
        what: What happened, in words.
        rule: Full name of the rule that has to catch it.
        severity: Severity of the rule.
        message: Part of the message.
        shops: Damages with the same word here are done to one shop.
        apply: Does it and returns the damaged rows, None where the rule is not over rows.
        also: Other rules that it breaks.
    """

    name: str
    what: str
    rule: str
    severity: str
    message: str
    shops: str
    apply: Apply
    also: tuple[str, ...] = ()


def put(table: str, column: str, *values: Any) -> Apply:
    return lambda shop: shop.set(table, column, list(values))


def replace_all(
    table: str, column: str, change: Callable[[pd.Series], Any], share: float = 1.0
) -> Apply:
    """Change a column in an even share of the rows."""

    def apply(shop: DamagedShop) -> None:
        frame = shop.frames[table].astype({column: object})
        rows = frame.index[np.arange(len(frame)) % 100 < 100 * share]
        changed = change(frame.loc[rows, column])
        frame.loc[rows, column] = pd.Series(changed, index=rows, dtype=object)
        shop.frames[table] = frame

    return apply


def setting(key: str, value: Any) -> Apply:
    """Change a parameter: the world moved, not the data."""
    return lambda shop: shop.settings.update({key: value})


def both(*steps: Apply) -> Apply:
    def apply(shop: DamagedShop) -> list[int] | None:
        return [step(shop) for step in steps][-1]

    return apply
