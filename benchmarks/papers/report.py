"""The tables of what there is, in Markdown.

Shapes: S seeds, Q queries.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.fair.intervals import Interval, mean_over, told
from benchmarks.fair.report import markdown
from benchmarks.fair.results import Results
from benchmarks.papers.rows import TABLES, Place, Table
from smar.seeding import generator

_RESAMPLES = 2_000
_CHOICE = ("recall@50", "ndcg@10")  # of validation queries, by which defaults are chosen
_LABELS = {
    "recall@50": "R@50", "precision@50": "P@50", "f1@50": "F1@50", "ndcg@1": "nDCG@1",
    "ndcg@10": "nDCG@10",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row of a table in every seed that is there.

    Args:
        name: As the table names it.
        frames: One row per query of either set, by seed.
        lines: What is known of each training.
    """

    name: str
    frames: dict[int, pd.DataFrame]
    lines: list[dict[str, Any]]

    @classmethod
    def read(cls, folder: Path, name: str, place: Place) -> "Row":
        """Return a row; of one that was not run no seed is there."""
        results = Results(folder / place.data)
        lines = results.finals(place.variant)
        tables = {line["seed"]: results.per_query(place.variant, line["seed"]) for line in lines}
        frames = {
            seed: table[table["system"] == place.system].sort_values(["set", "query_id"])
            for seed, table in tables.items()
            if place.system in set(table["system"])
        }
        return cls(name, frames, lines)

    def values(
        self, query_set: str, metric: str, seeds: list[int], asks: str = ""
    ) -> NDArray[np.float64]:
        """Return the values of a metric, [S, Q], of queries with one of some words if asked for."""
        found = []
        for seed in seeds:
            frame = self.frames[seed]
            chosen = (frame["set"] == query_set) & frame["query"].str.contains(asks)
            found.append(frame.loc[chosen, metric].to_numpy(np.float64))
        return np.stack(found)

    @property
    def seeds(self) -> list[int]:
        """The seeds that are there, ascending."""
        return sorted(self.frames)

    @property
    def gates(self) -> str:
        """Mean gate of visual and of other test queries."""
        table = pd.concat(self.frames.values())
        table = table[table["set"] == "test"]
        is_visual = np.array(["visual" in names for names in table["slices"].str.split()])
        means = (table.loc[mask, "gate"].mean() for mask in (is_visual, ~is_visual))
        return ", ".join(f"{mean:.2f}" for mean in means)

    @property
    def steps(self) -> str:
        """Mean steps of both trainings."""
        stages = ("pretrain", "finetune")
        means = (np.mean([line["steps"][stage] for line in self.lines]) for stage in stages)
        return " + ".join(f"{mean:.0f}" for mean in means)


def tables(folder: Path) -> str:
    """Return every table whose reference is there."""
    return "\n".join(filter(None, (_table(folder, table) for table in TABLES)))


def paired(
    row: Row, reference: Row, query_set: str, metric: str, asks: str = ""
) -> Interval | None:
    """Return how a row differs from another over the same queries and the seeds that both have.

    Rows of a seed begin with the same weights where they have them in common, and draw the same
    pairs, so that seeds are paired as queries are. None without a seed in common.
    """
    shared = sorted(row.frames.keys() & reference.frames.keys())
    if not shared:
        return None
    gap = row.values(query_set, metric, shared, asks)
    gap = gap - reference.values(query_set, metric, shared, asks)
    rng = generator(0, "papers", row.name, reference.name, query_set, metric, asks)
    return mean_over(gap, _RESAMPLES, rng)


def _table(folder: Path, table: Table) -> str:
    reference = Row.read(folder, table.against, table.place(table.against))
    rows = [Row.read(folder, name, table.place(name)) for name in table.rows]
    cells = [_cells(table, row, reference) for row in rows if row.seeds]
    if not reference.seeds or not cells:
        return ""
    title = f"{table.title} ({table.data}; points against `{table.against}`)"
    return markdown(title, cells)


def _cells(table: Table, row: Row, reference: Row) -> dict[str, str]:
    cells = {"row": row.name}
    for query_set, metrics in (("test", table.metrics), ("validation", _CHOICE)):
        for metric in metrics:
            mean = row.values(query_set, metric, row.seeds).mean()
            gap = _points(row, reference, query_set, metric) if metric in _CHOICE else ""
            cells[f"{query_set} {_LABELS[metric]}"] = f"{mean:.3f}{gap}"
    if table.asks:
        for metric in _CHOICE:
            mean = row.values("test", metric, row.seeds, table.asks).mean()
            gap = _points(row, reference, "test", metric, table.asks)
            cells[f"{_LABELS[metric]}, pattern asked for"] = f"{mean:.3f}{gap}"
    return cells | {
        "g, visual and not": row.gates,
        "steps": row.steps,
        "seeds": " ".join(map(str, row.seeds)),
    }


def _points(row: Row, reference: Row, query_set: str, metric: str, asks: str = "") -> str:
    """Return a difference in points with its interval; bold where that leaves 0 out."""
    found = paired(row, reference, query_set, metric, asks)
    if found is None or row.name == reference.name:
        return ""
    text = told(found, 100, 1)
    return f" **{text}**" if found.low > 0 or found.high < 0 else f" {text}"
