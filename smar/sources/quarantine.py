"""Rows that were left out, each with its reason; too many of them stop the work."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa

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


@dataclass
class Quarantine:
    """Collects what every reader leaves out.

    Args:
        totals: Rows seen by source, the base of the shares.
    """

    totals: dict[str, int] = field(default_factory=dict)
    _parts: list[pd.DataFrame] = field(default_factory=list)

    def see(self, source: str, rows: int) -> None:
        """Add to the number of rows that a source had."""
        self.totals[source] = self.totals.get(source, 0) + rows

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

    def frame(self) -> pd.DataFrame:
        """Return all rows left out, as in `QUARANTINE`, in a stable order."""
        if not self._parts:
            return QUARANTINE.empty_table().to_pandas()
        whole = pd.concat(self._parts, ignore_index=True)[QUARANTINE.names]
        return whole.sort_values(
            ["source", "row", "key", "reason"], kind="stable", ignore_index=True
        )

    def counts(self) -> dict[str, int]:
        """Return the number of rows left out, by "source: reason"."""
        frame = self.frame()
        names = frame["source"] + ": " + frame["reason"]
        return {str(name): int(n) for name, n in names.value_counts().sort_index().items()}

    def check(self, max_frac: float) -> None:
        """Raise if any source lost more than a share of its rows.

        Raises:
            DataError: Lists every such source with its reasons and examples.
        """
        frame = self.frame()
        problems = []
        for source, total in sorted(self.totals.items()):
            rows = frame[frame["source"] == source]
            bad = len(rows)
            if bad <= max_frac * total:
                continue
            reasons = "; ".join(f"{n} x {r}" for r, n in rows["reason"].value_counts().items())
            first = rows.iloc[0]
            problems.append(
                f"{source}: {bad} of {total} ({bad / max(total, 1):.1%}): {reasons}. First: row "
                f"{first['row']}, {first['column']} of '{first['key']}' is {first['value']!r}"
            )
        if problems:
            raise DataError(
                list_problems(
                    "Too many bad rows; nothing was replaced. Mend the input, or raise "
                    f"ingest.max_quarantined_frac (now {max_frac:g}) in params.yaml:",
                    problems,
                )
            )
