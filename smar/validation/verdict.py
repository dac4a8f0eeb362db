"""What came out of a contract."""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

# Rows that are left out, one line for every rule that a row breaks.
LEFT_OUT = pa.schema(
    [
        pa.field("table", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),  # row of the ingested table, from 1
        pa.field("key", pa.string(), nullable=False),  # item id, search id, ...
        pa.field("column", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class CheckResult:
    """One rule and what was seen.

    Args:
        rule: Full name of the rule.
        table: Table it is about.
        column: Column it is about.
        severity: stop, quarantine or warn.
        expected: What was expected, in words.
        success: Whether it held.
        broken: Rows that break it.
        rows: Rows that were looked at.
        observed: What was seen, in words.
        examples: A few rows that broke it.
    """

    rule: str
    table: str
    column: str
    severity: str
    expected: str
    success: bool
    broken: int
    rows: int
    observed: str
    examples: list[str] = field(default_factory=list)

    def problem(self) -> str:
        """Return the line that a person reads when it failed."""
        shown = f" (for example {'; '.join(self.examples)})" if self.examples else ""
        place = f"{self.table}.{self.column}"
        return f"{place}: expected {self.expected}; {self.observed}{shown} [{self.rule}]"


@dataclass
class Verdict:
    """All that came out of one contract.

    Args:
        results: One for each rule.
        rows: Number of rows that were looked at.
        left_out: The rows left out, as `LEFT_OUT`.
        figures: The numbers of the frame, where it is one row without a name.
        judged: Suite and outcome of Great Expectations, None in one of an earlier run.
        shown: What stands for all that the pages show, "" before they are written.
        pages: Pages of Data Docs by their places, empty before they are written.
        source: What stands for all that it follows from, "" where that cannot be told.
    """

    results: list[CheckResult]
    rows: int
    left_out: pa.Table
    figures: dict[str, float]
    judged: tuple[Any, Any] | None = None
    shown: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    source: str = ""
