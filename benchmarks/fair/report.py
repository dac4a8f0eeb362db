"""The tables of the fair study, in Markdown.

Shapes: S seeds, Q queries.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.fair.intervals import difference, mean_over, told
from benchmarks.fair.results import Line, Results
from smar.seeding import generator

LABELS = {
    "smar": "smar",
    "gcl": "GCL's form on smar's towers",
    "st_pictures": "sentence-transformers, fields averaged",
    "st_text": "sentence-transformers, text",
    "bm25": "BM25",
}
METRICS = {"recall@50": "R@50", "precision@10": "P@10", "ndcg@10": "nDCG@10"}
SLICES = {"visual": "R@50 visual", "non_visual": "R@50 non-visual"}
_RESAMPLES = 2_000
_AGAINST = ("smar and all words", "smar and words")


@dataclass(frozen=True)
class Row:
    """A run of a system in every seed.

    Args:
        label: For people.
        values: Of each metric, [S, Q].
        masks: Of each slice, [Q].
    """

    label: str
    values: dict[str, NDArray[np.float64]]
    masks: dict[str, NDArray[np.bool_]]


def tables(results: Results, systems: Sequence[str]) -> str:
    """Return the tables of what there is: trials, figures, and differences to smar."""
    rows = {run: row for system in systems for run, row in rows_of(results, system)}
    parts = [markdown("Trials", _trials(results, systems))]
    if rows:
        parts.append(markdown("Figures", _figures(rows)))
    parts.extend(
        markdown(f"Points of `{against}` above each", _differences(rows, against))
        for against in _AGAINST
        if against in rows
    )
    return "\n".join(parts)


def rows_of(results: Results, system: str) -> Iterator[tuple[str, Row]]:
    """Yield each run of a system over the seeds that are done, by its name."""
    finals = results.finals(system)
    if not finals:
        return
    of_seeds = [results.per_query(system, line["seed"]) for line in finals]
    slices = of_seeds[0]["slices"].str.split()
    for run in of_seeds[0]["system"].unique():
        parts = [table[table["system"] == run].sort_values("query_id") for table in of_seeds]
        named = slices[parts[0].index]
        masks = {part: np.array([part in names for names in named]) for part in SLICES}
        values = {
            metric: np.stack([part[metric].to_numpy() for part in parts]) for metric in METRICS
        }
        yield run, Row(f"{LABELS[system]}{run.removeprefix(system)}", values, masks)


def _trials(results: Results, systems: Sequence[str]) -> Iterator[dict[str, str]]:
    for system in systems:
        trials = results.trials(system)
        if not trials:
            continue
        values = np.array([line["value"] for line in trials])
        low, middle, high = np.percentile(values, [25, 50, 75])
        yield {
            "system": LABELS[system],
            "trials": str(len(trials)),
            "recipe": f"{values[0]:.3f}",
            "worst": f"{values.min():.3f}",
            "quartiles": f"{low:.3f}, {middle:.3f}, {high:.3f}",
            "best": f"{values.max():.3f}",
            "processor, s": _mean_of(trials, "processor_s"),
            "steps": _mean_of(trials, "steps"),
        }


def _figures(rows: dict[str, Row]) -> Iterator[dict[str, str]]:
    for run, row in rows.items():
        of_metrics = {
            label: told(mean_over(row.values[metric], _RESAMPLES, _rng(run, metric)), 1, 3)
            for metric, label in METRICS.items()
        }
        recall = row.values["recall@50"]
        of_slices = {
            label: f"{recall[:, row.masks[part]].mean():.3f}" for part, label in SLICES.items()
        }
        yield {"system": row.label} | of_metrics | of_slices | {"seeds": str(len(recall))}


def _differences(rows: dict[str, Row], against: str) -> Iterator[dict[str, str]]:
    for run, row in rows.items():
        if run == against:
            continue
        gaps = {
            label: difference(
                rows[against].values[metric],
                row.values[metric],
                _RESAMPLES,
                _rng(against, run, metric),
            )
            for metric, label in METRICS.items()
        }
        yield {"system": row.label} | {name: told(gap, 100, 1) for name, gap in gaps.items()}


def _mean_of(lines: Sequence[Line], name: str) -> str:
    values = [line[name] for line in lines if name in line]
    return f"{np.mean(values):.0f}" if values else "-"


def _rng(*names: str) -> np.random.Generator:
    return generator(0, "fair intervals", *names)


def markdown(title: str, rows: Iterable[dict[str, str]]) -> str:
    """Return rows as a table of Markdown under a heading, or that there are none yet."""
    found = list(rows)
    if not found:
        return f"## {title}\n\nNothing yet.\n"
    head = list(found[0])
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *[list(row.values()) for row in found]]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {title}\n\n{body}\n"
