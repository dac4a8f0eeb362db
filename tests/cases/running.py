"""One case: its settings on top of params.yaml, `smar ingest`, and what came out of it."""

import contextlib
import io
import shutil
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from smar import cli
from smar.data import schema
from smar.paths import Paths
from smar.sources.quarantine import QUARANTINE

ROOT = Path(__file__).parents[2]


@dataclass
class Outcome:
    """What `smar ingest` did.

    Args:
        refusal: Its message, "" if it read the input.
        crash: The traceback, "" if there was none.
        tables: The tables, where it read the input.
        quarantined: Rows left out, by source and by "source: reason".
    """

    refusal: str = ""
    crash: str = ""
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)

    def summary(self) -> str:
        """Return the outcome in one line."""
        if self.crash:
            return f"crashed: {self.crash.strip().splitlines()[-1]}"
        if self.refusal:
            return f"refused: {' '.join(self.refusal.split())}"
        parts = [f"{len(table)} {name}" for name, table in self.tables.items() if len(table)]
        left = [f"{n} x {reason}" for reason, n in self.quarantined.items() if ": " in reason]
        return "; ".join([", ".join(parts) or "empty tables", *left])


def run_case(folder: Path) -> Outcome:
    """Return the outcome of the case in a folder (case.yaml and raw/)."""
    case = yaml.safe_load((folder / "case.yaml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="smar-case-") as name:
        root = Path(name)
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        for key, value in (case.get("settings") or {}).items():
            _set(params, key, value)
        params["ingest"]["folder"] = "data/raw"
        shutil.copytree(folder / "raw", root / "data/raw")
        (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        return _ingested(root)


def _set(params: dict[str, Any], key: str, value: object) -> None:
    *path, last = key.split(".")
    for part in path:
        params = params.setdefault(part, {})
    params[last] = value


def _ingested(root: Path) -> Outcome:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            code = cli.main(["ingest", "--root", str(root), "--quiet"])
    except (Exception, SystemExit):  # noqa: BLE001 - a crash is an outcome here, the worst
        return Outcome(crash=traceback.format_exc())
    if code:
        return Outcome(refusal=said.getvalue().replace(str(root), "").strip())
    paths = Paths(root)
    tables = {n: schema.read_table(paths.ingested(n), c) for n, c in schema.TABLES.items()}
    left = schema.read_table(paths.quarantine / "quarantine.parquet", QUARANTINE)
    reasons = (left["source"] + ": " + left["reason"]).value_counts()
    counts = {**left["source"].value_counts(), **reasons}
    return Outcome(tables=tables, quarantined={str(k): int(n) for k, n in sorted(counts.items())})


def differences(outcome: Outcome, right: Mapping[str, Any]) -> list[str]:
    """Return how an outcome differs from what is right.

    Args:
        outcome: What came out.
        right: `refused`: text that the refusal holds; or `counts`: rows by table, `quarantined`:
            rows by source (all of them), and by table the first values of columns.
    """
    if outcome.crash:
        return [outcome.summary()]
    if "refused" in right:
        wanted = str(right["refused"])
        return [] if wanted in outcome.refusal else [f"no refusal with '{wanted}'"]
    if outcome.refusal:
        return ["refused, expected to be read"]
    found = [
        f"{len(outcome.tables[table])} {table}, expected {rows}"
        for table, rows in right.get("counts", {}).items()
        if len(outcome.tables[table]) != rows
    ]
    if "quarantined" in right:
        left = {source: n for source, n in outcome.quarantined.items() if ": " not in source}
        if left != right["quarantined"]:
            found.append(f"left out {left}, expected {right['quarantined']}")
    for table in schema.TABLES:
        for column, values in right.get(table, {}).items():
            seen = [_plain(v) for v in outcome.tables[table][column][: len(values)]]
            if seen != values:
                found.append(f"{table}.{column} begins {seen}, expected {values}")
    return found


def _plain(value: Any) -> Any:
    """Return a cell as YAML has it."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, float):
        return None if value != value else value  # noqa: PLR0124 - NaN is missing
    return value
