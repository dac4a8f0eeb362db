"""The tables and figures of a study, every difference tested over the same queries.

Shapes: Q queries.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.artifacts import Manifest, digest, write_directory
from smar.errors import DataError
from smar.evaluation.systems import GATED, HYBRID
from smar.judging.compare import mean_intervals, paired_difference
from smar.pages import plots
from smar.pages.render import write_page
from smar.seeding import generator
from studies.paths import StudyPaths
from studies.plan import FigurePlan, StudyPlan, TablePlan

KIND = "study-report"
_RESAMPLES = 1000

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Args:
        name: Variant, or `variant:system`.
        seeds: Number of runs.
        means: Mean by column.
        spreads: Standard deviation between seeds by column; NaN for one seed.
        gap: Difference from the reference in the table's first metric, with interval and p, as
            text; "" for the reference itself.
        interval: 95 % interval of the first metric over queries.
        train_s: Mean seconds of training.
    """

    name: str
    seeds: int
    means: dict[str, float]
    spreads: dict[str, float]
    gap: str
    interval: tuple[float, float]
    train_s: float


class Results:
    """What the runs of a study left.

    Args:
        root: The project's root folder.
    """

    def __init__(self, root: Path) -> None:
        self._tables: dict[tuple[str, str, int], pd.DataFrame] = {}
        self._seconds: dict[tuple[str, str, int], float] = {}
        for path in sorted(StudyPaths(root).results.glob("*/*/*/per_query.parquet")):
            metrics = json.loads((path.parent / "metrics.json").read_text(encoding="utf-8"))
            key = (metrics["data"], metrics["variant"], metrics["seed"])
            self._tables[key] = _with_names(pd.read_parquet(path))
            trained = [metrics[stage] for stage in ("pretrain", "finetune") if stage in metrics]
            self._seconds[key] = sum(each["seconds"] for each in trained)

    def __len__(self) -> int:
        return len(self._tables)

    def seeds(self, data: str, variant: str) -> list[int]:
        """Return the seeds that a variant was run with."""
        return [s for d, v, s in self._tables if (d, v) == (data, variant)]

    def seconds(self, data: str, variant: str) -> float:
        """Return the mean seconds of training."""
        seeds = self.seeds(data, variant)
        return float(np.mean([self._seconds[data, variant, seed] for seed in seeds]))

    def values(self, data: str, row: str, query_set: str) -> dict[int, pd.DataFrame]:
        """Return tables of metrics, by seed and query id, of `variant` or `variant:system`.

        A peer has one system only, its own.
        """
        variant, _, system = row.partition(":")
        frames = {}
        for seed in self.seeds(data, variant):
            table = self._tables[data, variant, seed]
            own = HYBRID if HYBRID in set(table["system"]) else variant
            chosen = (table["set"] == query_set) & (table["system"] == (system or own))
            frames[seed] = table[chosen].set_index("query_id").sort_index()
        return frames


def _with_names(table: pd.DataFrame) -> pd.DataFrame:
    """Return results in which the systems have their names, also those of earlier runs.

    Before `hybrid` was a system, the search as served was `gated` and its vectors were `dense`.
    """
    systems = set(table["system"])
    if HYBRID in systems or GATED not in systems:
        return table
    return table.assign(system=table["system"].replace({GATED: HYBRID, "dense": GATED}))


def write_study_report(root: Path, plan: StudyPlan) -> Path:
    """Write tables as Markdown and csv, and one page with everything; return the page's path.

    Runs that were not done are left out and named.

    Raises:
        DataError: If no run was done.
    """
    results = Results(root)
    if not len(results):
        raise DataError(
            f"{StudyPaths(root).results}: no result there. First run, for example: "
            f"smar study run {plan.matrix.data[0]} {plan.matrix.variants[0]} {plan.matrix.seeds[0]}"
        )
    manifest = Manifest(kind=KIND, params={"plan": digest(StudyPaths(root).plan)})
    folder = StudyPaths(root).report
    with write_directory(folder, manifest) as part:
        sections, lines = [], ["# Study", ""]
        for table in plan.tables:
            for data in table.data:
                section = _table(results, table, data, plan.peers)
                if section["rows"]:
                    sections.append(section)
                    lines += _markdown(section)
        figures = [_figure(results, figure) for figure in plan.figures]
        (part / "tables.md").write_text("\n".join(lines), encoding="utf-8")
        write_page(
            part / "index.html",
            "study.html.j2",
            title="Which model finds more",
            subtitle=f"{len(results)} runs. Differences are paired over queries, and those of two "
            "variants over their common seeds; + and - give the standard deviation between seeds.",
            tables=sections,
            figures=[figure for figure in figures if figure],
        )
    return folder / "index.html"


def _table(results: Results, table: TablePlan, data: str, peers: list[str]) -> dict[str, Any]:
    reference = results.values(data, table.against, table.set)
    rows, missing, queries = [], [], 0
    for name in table.rows:
        frames = results.values(data, name, table.set)
        if not frames:
            missing.append(name)
            continue
        queries = len(next(iter(frames.values())))
        gap = ""
        if reference and name != table.against:
            gap = _gap(frames, reference, table.metrics[0], same_seeds=name not in peers)
        rows.append(_row(results, table, data, name, frames, gap))
    columns = [_column(metric, part) for metric in table.metrics for part in ("", *table.slices)]
    bars = [(HYBRID, row.name, row.means[columns[0]], row.interval) for row in rows] if rows else []
    return {
        "title": table.title,
        "note": table.note,
        "data": data,
        "set": table.set,
        "queries": queries,
        "against": table.against,
        "columns": columns,
        "rows": rows,
        "missing": missing,
        "bars": plots.bars(bars),
    }


def _row(
    results: Results,
    table: TablePlan,
    data: str,
    name: str,
    frames: dict[int, pd.DataFrame],
    gap: str,
) -> Row:
    means, spreads = {}, {}
    for metric in table.metrics:
        for part in ("", *table.slices):
            values = [_slice(frame, part)[metric].mean() for frame in frames.values()]
            means[_column(metric, part)] = float(np.mean(values))
            spreads[_column(metric, part)] = (
                float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
            )
    first = table.metrics[0]
    own = _mean_by_query(frames, first)
    rng = generator(0, "study", data, name)
    low, high = mean_intervals(own[:, None], _RESAMPLES, rng)[:, 0]
    return Row(
        name=name,
        seeds=len(frames),
        means=means,
        spreads=spreads,
        gap=gap,
        interval=(float(low), float(high)),
        train_s=results.seconds(data, name.partition(":")[0]),
    )


def _gap(
    frames: dict[int, pd.DataFrame],
    reference: dict[int, pd.DataFrame],
    metric: str,
    *,
    same_seeds: bool,
) -> str:
    """Return a row's difference from the reference, with interval and p, as text.

    Variants of a seed share draws and initial weights, and runs differ more between seeds than
    variants do: with `same_seeds` only seeds that both have count. A peer shares nothing with
    them, and is compared with the mean of all.
    """
    if same_seeds:
        shared = frames.keys() & reference.keys()
        if not shared:
            return "no seed in common"
        frames, reference = ({seed: each[seed] for seed in shared} for each in (frames, reference))
    own, other = _mean_by_query(frames, metric), _mean_by_query(reference, metric)
    found = paired_difference(own, other, _RESAMPLES, generator(0, "study", metric))
    return (
        f"{100 * found.mean:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f}), "
        f"p {found.p_value:.4f}"
    )


def _mean_by_query(frames: dict[int, pd.DataFrame], metric: str) -> NDArray[np.float64]:
    """Return each query's mean over seeds, [Q]; queries are ordered by id."""
    return np.mean([frame[metric].to_numpy(np.float64) for frame in frames.values()], axis=0)


def _slice(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    if not part:
        return frame
    return frame[frame["slices"].str.split(" ").map(lambda names: part in names)]


def _column(metric: str, part: str) -> str:
    return f"{metric}/{part}" if part else metric


def _figure(results: Results, figure: FigurePlan) -> dict[str, Any] | None:
    """Return a figure: a metric over the values of a setting, one line per slice."""
    frames = {name: results.values(figure.data, name, figure.set) for name in figure.points}
    done = {name: found for name, found in frames.items() if found}
    if len(done) < 2:
        return None
    series = {}
    for key, part in zip(plots.COLOURS, ("", *figure.slices), strict=False):
        values = [
            float(np.mean([_slice(frame, part)[figure.metric].mean() for frame in found.values()]))
            for found in done.values()
        ]
        series[key] = (part or "all", values)
    labels = [figure.points[name] for name in done]
    return {
        "title": f"{figure.title}: {figure.metric}, {figure.data} ({figure.set})",
        "chart": plots.lines(labels, series),
    }


def _markdown(section: dict[str, Any]) -> list[str]:
    columns = section["columns"]
    lines = [
        f"## {section['title']}: {section['data']}",
        "",
        f"{section['note']} {section['queries']:,} {section['set']} queries; differences in "
        f"{columns[0]}, points, against `{section['against']}`.",
        "",
        f"| row | difference | {' | '.join(columns)} | seeds | training s |",
        f"|---|---|{'---:|' * len(columns)}---:|---:|",
    ]
    for row in section["rows"]:
        cells = " | ".join(_cell(row, column) for column in columns)
        lines.append(f"| {row.name} | {row.gap} | {cells} | {row.seeds} | {row.train_s:.0f} |")
    if section["missing"]:
        lines += ["", f"Not run: {', '.join(section['missing'])}."]
    return [*lines, ""]


def _cell(row: Row, column: str) -> str:
    spread = row.spreads[column]
    return f"{row.means[column]:.4f}" + ("" if np.isnan(spread) else f" \u00b1{spread:.4f}")
