"""The validation report: one page for people, JSON and parquet for machines, and Data Docs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from smar.artifacts import write_json
from smar.data.schema import TABLES, write_table
from smar.pages.render import render
from smar.replace import write_file
from smar.validation.contract import QUARANTINE, STOP, WARN
from smar.validation.data_docs import write_data_docs
from smar.validation.shop import Outcome
from smar.validation.verdict import LEFT_OUT, CheckResult

_SHOWN_PER_RULE = 3
_TITLES = {
    STOP: ("Stops the work", "Nothing is accepted until this is mended."),
    QUARANTINE: ("Quarantined", "These rows were left out, with all that refers to them."),
    WARN: ("Worth a look", "Not left out, but not as expected."),
}


def counts_of(outcome: Outcome, tables: Mapping[str, pa.Table]) -> dict[str, int]:
    """Return the figures of a validation for metrics and manifest."""
    by_table = _left_out_rows(outcome)
    return {
        "rules": len(outcome.results),
        "stops": len(outcome.stops),
        "warnings": len(outcome.warnings),
        "quarantined": sum(by_table.values()),
        **{f"quarantined_{name}": by_table[name] for name in TABLES},
        **{f"accepted_{name}": _rows(outcome.accepted, name) for name in TABLES},
        **{f"rows_{name}": tables[name].num_rows for name in TABLES},
    }


def write_report(
    folder: Path,
    outcome: Outcome,
    tables: Mapping[str, pa.Table],
    ingest_left_out: Mapping[str, float],
    *,
    is_compared: bool,
) -> None:
    """Write index.html, results.json, quarantine.parquet and data_docs/ into a folder.

    Args:
        folder: Where to write.
        outcome: What came out.
        tables: The tables as ingested.
        ingest_left_out: Rows that ingest had already left out, by source and reason.
        is_compared: Whether there was accepted data to compare with.
    """
    left_out = outcome.checker.left_out()
    write_table(folder / "quarantine.parquet", left_out, LEFT_OUT)
    counts = counts_of(outcome, tables)
    write_json(
        folder / "results.json",
        {
            "verdict": "stopped" if outcome.stops else "accepted",
            "counts": counts,
            "compared_with_previous": is_compared,
            "rules": [vars(result) for result in outcome.results],
        },
    )
    text = render(
        "validation.html.j2",
        verdict=_verdict(outcome, counts),
        is_stopped=bool(outcome.stops),
        tables=[_table(name, outcome, tables) for name in TABLES],
        problems=_problems(outcome),
        groups=_groups(outcome),
        left_out=left_out.groupby("rule").head(_SHOWN_PER_RULE).to_dict("records"),
        num_left_out=len(left_out),
        ingest_left_out=dict(ingest_left_out),
        is_compared=is_compared,
    )
    with write_file(folder / "index.html") as temporary:
        temporary.write_text(text, encoding="utf-8")
    write_data_docs(folder / "data_docs", outcome.checker)


def _verdict(outcome: Outcome, counts: Mapping[str, int]) -> str:
    if outcome.stops:
        broken = len(outcome.stops)
        return f"Stopped: {broken} rule{'s' * (broken > 1)} broken that must hold"
    quarantined = counts["quarantined"]
    rows = f"{quarantined:,} row{'s' * (quarantined != 1)}" if quarantined else "no row"
    return f"Accepted, {rows} left out"


def _table(name: str, outcome: Outcome, tables: Mapping[str, pa.Table]) -> dict[str, Any]:
    rows, left_out = tables[name].num_rows, _left_out_rows(outcome)[name]
    results = [result for result in outcome.results if result.table == name]
    broken = [result for result in results if not result.success]
    return {
        "name": name,
        "rows": rows,
        "accepted": _rows(outcome.accepted, name),
        "left_out": left_out,
        "share": 1 - left_out / rows if rows else 1.0,
        "rules": len(results),
        "broken": len(broken),
        "state": _worst(broken),
    }


def _problems(outcome: Outcome) -> list[dict[str, Any]]:
    """Return the broken rules by severity, the gravest first."""
    groups = []
    for severity, (title, note) in _TITLES.items():
        broken = [r for r in outcome.results if not r.success and r.severity == severity]
        if broken:
            rows = sorted(broken, key=lambda result: -result.broken)
            groups.append({"severity": severity, "title": title, "note": note, "rows": rows})
    return groups


def _groups(outcome: Outcome) -> list[dict[str, Any]]:
    """Return all results by table."""
    names = dict.fromkeys(result.table for result in outcome.results)
    groups = []
    for name in names:
        rows = [result for result in outcome.results if result.table == name]
        broken = [result for result in rows if not result.success]
        groups.append({"name": name, "rows": rows, "broken": len(broken), "state": _worst(broken)})
    return groups


def _worst(broken: list[CheckResult]) -> str:
    found = {result.severity for result in broken}
    return next((severity for severity in _TITLES if severity in found), "good")


def _left_out_rows(outcome: Outcome) -> dict[str, int]:
    """Return the number of rows left out by table; a row that breaks two rules counts once."""
    rows = outcome.checker.left_out().drop_duplicates(["table", "row"])
    counts = rows["table"].value_counts()
    return {name: int(counts.get(name, 0)) for name in TABLES}


def _rows(accepted: Mapping[str, pa.Table], name: str) -> int:
    return accepted[name].num_rows if name in accepted else 0
