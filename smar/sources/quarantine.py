"""Rows that were left out, each with its reason; too many of them stop the work."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa

from smar.data.row_rules import UNKNOWN, Known, RowRule
from smar.errors import DataError, list_problems

QUARANTINE = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),  # items, pictures, searches, ...
        pa.field("row", pa.int64(), nullable=False),  # row or line of the input, from 1; 0 = none
        pa.field("key", pa.string(), nullable=False),  # item id, search id, file name, ...
        pa.field("column", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
    ]
)
_LONGEST_VALUE = 200
_ORDER = ["source", "row", "key", "reason", "column", "value"]


@dataclass
class Quarantine:
    """Collects what every reader leaves out.

    Args:
        totals: Rows seen by source, the base of the shares.
    """

    totals: dict[str, int] = field(default_factory=dict)
    _parts: list[pd.DataFrame] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was left out."""
        return not self._parts

    def see(self, source: str, rows: int) -> None:
        """Add to the number of rows that a source had."""
        self.totals[source] = self.totals.get(source, 0) + rows

    def add(self, other: "Quarantine") -> None:
        """Add all that another one saw and left out."""
        for source, rows in other.totals.items():
            self.see(source, rows)
        self._parts += other._parts

    def put(self, source: str, rows: Iterable[tuple[int, str, str, str, object]]) -> None:
        """Add rows as (row, key, column, reason, value)."""
        frame = pd.DataFrame(list(rows), columns=["row", "key", "column", "reason", "value"])
        if len(frame):
            frame["key"] = frame["key"].astype(str)
            frame["value"] = frame["value"].astype(str).str.slice(0, _LONGEST_VALUE)
            self._parts.append(frame.assign(source=source))

    def take(
        self,
        source: str,
        frame: pd.DataFrame,
        bad: pd.Series,
        *,
        key: str,
        column: str,
        reason: str,
    ) -> pd.DataFrame:
        """Put the rows of `frame` where `bad` holds aside and return the others.

        The frame needs a column `row`, the row of the input.
        """
        out = frame[bad]
        rows = zip(
            out["row"], out[key], [column] * len(out), [reason] * len(out), out[column], strict=True
        )
        self.put(source, rows)
        return frame[~bad]

    def hold(
        self,
        source: str,
        frame: pd.DataFrame,
        rules: Iterable[RowRule],
        *,
        key: str,
        known: Known | None = None,
    ) -> pd.DataFrame:
        """Put the rows of `frame` that break a rule aside, one rule after the other.

        A row counts for the first rule that it breaks; "once" looks at the rows left by then.

        Args:
            source: Name of the source.
            frame: Columns that the rules name, and row.
            rules: The rules, in their order.
            key: Column that names a row.
            known: Ids that exist, for rules about references.
        """
        for rule in rules:
            bad = rule.is_broken(frame, known or {})
            frame = self.take(source, frame, bad, key=key, column=rule.column, reason=rule.reason)
        return frame

    def frame(self) -> pd.DataFrame:
        """Return all rows left out, as in `QUARANTINE`; their order is that of what they are."""
        if not self._parts:
            return QUARANTINE.empty_table().to_pandas()
        whole = pd.concat(self._parts, ignore_index=True)[QUARANTINE.names]
        return whole.sort_values(_ORDER, kind="stable", ignore_index=True)

    def changed(self, before: "Quarantine", after: "Quarantine") -> "Quarantine":
        """Return what this one is when what `before` has of it becomes what `after` has.

        Args:
            before: Totals and rows that are among this one's.
            after: What takes their place.
        """
        changed = Quarantine(dict(self.totals), [*self._parts])
        for source, rows in before.totals.items():
            changed.see(source, -rows)
        if before._parts:
            whole, less = self.frame(), before.frame()
            number = whole.groupby(_ORDER).cumcount(), less.groupby(_ORDER).cumcount()
            keys = [
                pd.MultiIndex.from_frame(frame[_ORDER].assign(number=count))
                for frame, count in zip((whole, less), number, strict=True)
            ]
            changed._parts = [whole[~keys[0].isin(keys[1])]]
        changed.add(after)
        return changed

    def counts(self) -> dict[str, int]:
        """Return the number of rows left out, by "source: reason"."""
        frame = self.frame()
        names = frame["source"] + ": " + frame["reason"]
        return {str(name): int(n) for name, n in names.value_counts().sort_index().items()}

    def check(self, max_frac: float, max_unknown_frac: float, limits: Mapping[str, float]) -> None:
        """Raise if any source lost more than a share of its rows.

        Args:
            max_frac: Of the rows of a source that are bad in themselves.
            max_unknown_frac: Of those that are sound and name something that is not there (any
                more): an item that was sold out, a search before the log began. At least
                `max_frac`.
            limits: In place of both, by source.

        Raises:
            DataError: Lists every such source with its reasons and examples.
        """
        frame = self.frame()
        is_unknown = frame["reason"].str.endswith(UNKNOWN)
        problems = []
        for source, total in sorted(self.totals.items()):
            own = (limits[source], f"quarantine_limits.{source}") if source in limits else None
            bad = own or (max_frac, "max_quarantined_frac")
            unknown = own or (max(max_frac, max_unknown_frac), "max_unknown_frac")
            for (most, setting), of_kind in ((bad, ~is_unknown), (unknown, is_unknown)):
                rows = frame[(frame["source"] == source) & of_kind]
                if len(rows) > most * total:
                    problems.append(_problem(source, rows, total, f"{setting}, now {most:g}"))
        if problems:
            raise DataError(
                list_problems(
                    "Too many bad rows; nothing was replaced. Mend the input, or raise the limit "
                    "that is named, a setting of ingest in params.yaml:",
                    problems,
                )
            )


def _problem(source: str, rows: pd.DataFrame, total: int, limit: str) -> str:
    bad = len(rows)
    reasons = "; ".join(f"{n} x {r}" for r, n in rows["reason"].value_counts().items())
    first = rows.iloc[0]
    return (
        f"{source}: {bad} of {total} ({bad / max(total, 1):.1%}): {reasons}. First: row "
        f"{first['row']}, {first['column']} of '{first['key']}' is {first['value']!r} "
        f"(limit: ingest.{limit})"
    )
