"""What `dvc plots show` draws of an evaluation, as CSV."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from smar.evaluation.systems import LABELS, SetResult, ordered
from smar.params import EvaluateParams


def write_tables(folder: Path, results: Sequence[SetResult], params: EvaluateParams) -> None:
    """Write what `dvc plots show` draws: recall by cutoff, the gate's histogram and reliability."""
    folder.mkdir(exist_ok=True)
    _write_reliability(folder / "reliability.csv", results)
    columns = ["cutoff", *(ordered(results[0]) if results else LABELS)]
    if not results:
        pd.DataFrame(columns=columns).to_csv(folder / "recall.csv", index=False)
        pd.DataFrame(columns=["gate", "queries"]).to_csv(folder / "gate.csv", index=False)
        return
    first = results[0]
    rows = [
        {"cutoff": k, **{s: round(first.mean(s, f"recall@{k}"), 6) for s in ordered(first)}}
        for k in params.cutoffs
    ]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "recall.csv", index=False)
    counts, edges = np.histogram(first.gate, bins=20, range=(0, 1))
    table = pd.DataFrame({"gate": np.round(edges[:-1] + 0.025, 3), "queries": counts})
    table.to_csv(folder / "gate.csv", index=False)


def _write_reliability(path: Path, results: Sequence[SetResult]) -> None:
    found = results[0].reliability if results else {}
    tables = [c.bins.round(6).assign(outcome=name) for name, c in found.items()]
    empty = pd.DataFrame(columns=["predicted", "observed", "queries", "outcome"])
    pd.concat(tables or [empty]).to_csv(path, index=False)
