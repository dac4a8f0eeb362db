"""What a person looks at: tables with intervals, charts, and queries with the pictures found."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.evaluation.examples import Catalogue, chosen_examples
from smar.evaluation.plot_tables import write_tables
from smar.evaluation.regression import Regression
from smar.evaluation.relevance import RelevanceResult
from smar.evaluation.reliability import Reliability
from smar.evaluation.systems import HYBRID, LABELS, SetResult, ordered, per_query_table
from smar.evaluation.weights import Weights
from smar.judging.runs import write_trec_qrels, write_trec_run
from smar.pages import plots
from smar.pages.gallery import Group
from smar.pages.render import write_page
from smar.params import EvaluateParams

_HEADINGS = {
    "test": (
        "Test queries",
        "Judged queries that nothing was trained on, chosen by or decided on.",
    ),
    "trial": (
        "Trial queries",
        "Judged queries that releases are decided on; what shoppers did with them is trained on.",
    ),
    "validation": (
        "Validation queries",
        "Held-out queries of the log, judged by what shoppers did. Choices are made here.",
    ),
    "synthetic": (
        "Synthetic queries",
        "Held-out words of an item's own text; the item is the only answer.",
    ),
    "unseen_words": (
        "Words that no search has used",
        "A word of titles that is in no training query, and a type; relevant are the items of the "
        "type that have the word. None of these words chose anything.",
    ),
}
_MOST_WEAK = 30  # that the page shows; weak.csv has all
_TABLE_METRICS = ("recall", "capped_recall", "precision", "f1", "ndcg", "mrr")


@dataclass(frozen=True)
class Against:
    """What the figures stand beside.

    Args:
        release: The current release, when it was made and from which commit; "" for none.
        figures: What it reached, set by set.
        start: What the start before training is, or why it is not compared; a sentence.
    """

    release: str
    figures: Sequence[Regression]
    start: str = ""


def write_results(
    folder: Path,
    results: Sequence[SetResult],
    catalogue: Catalogue,
    params: EvaluateParams,
    seed: int,
    against: Against,
    weak: pd.DataFrame,
) -> None:
    """Write everything a person or a program may want to see into a folder.

    The report as index.html and summary.txt, plots/*.csv, runs/*.trec and *.qrels, and
    per_query.parquet.

    Args:
        folder: An empty folder.
        results: What was measured, set by set; the first one leads.
        catalogue: The items.
        params: Metrics, cutoffs and the number of examples.
        seed: Draws examples.
        against: The current release.
        weak: What shoppers ask for and are answered weakly, as `weak_queries` gives it.
    """
    item_ids = list(catalogue.items["item_id"])
    groups = chosen_examples(results[0], catalogue, params, seed) if results else []
    write_report(
        folder / "index.html",
        results,
        catalogue,
        params,
        groups,
        against,
        weak,
    )
    weak.to_csv(folder / "weak.csv", index=False)
    (folder / "summary.txt").write_text(summary_text(results, params), encoding="utf-8")
    write_tables(folder / "plots", results, params)
    for result in results:
        name = result.queries.name
        write_trec_qrels(folder / "runs" / f"{name}.qrels", result.queries, item_ids)
        for system, run in result.runs.items():
            write_trec_run(folder / "runs" / f"{name}.{system}.trec", run, result.queries, item_ids)
    if results:
        table = pd.concat([_per_query(result) for result in results])
        table.to_parquet(folder / "per_query.parquet", index=False)


def _per_query(result: SetResult) -> pd.DataFrame:
    table = per_query_table(result.queries, result.values, result.slices)
    table.insert(4, "gate", np.tile(result.gate, len(result.values)))
    return table


def write_report(
    path: Path,
    results: Sequence[SetResult],
    catalogue: Catalogue,
    params: EvaluateParams,
    groups: Sequence[Group],
    against: Against,
    weak: pd.DataFrame,
) -> None:
    """Write the HTML report of all query sets, what decides first."""
    before = {one.query_set: one for one in against.figures}
    sets = [_set_content(result, params, before.get(result.queries.name)) for result in results]
    write_page(
        path,
        "report.html.j2",
        title="How well the search finds what was asked for",
        subtitle=f"{len(catalogue.items):,} items, {len(catalogue.images):,} pictures. "
        "Intervals are 95 % bootstrap intervals of the mean over queries.",
        primary=params.primary,
        metrics=_columns(params),
        sets=sets,
        release=against.release,
        start=against.start,
        groups=groups,
        weak=weak.head(_MOST_WEAK).to_dict("records"),
        num_weak=len(weak),
    )


def summary_text(results: Sequence[SetResult], params: EvaluateParams) -> str:
    """Return the figures of the first query set as an aligned table for a terminal."""
    if not results:
        return "No judged query: give judgements or a search log, or raise synthesize.ratio.\n"
    result = results[0]
    columns = _columns(params)
    label = f"{_HEADINGS[result.queries.name][0]} ({result.queries.size})"
    lines = [f"{label:<28}" + "".join(f"{name:>19}" for name in columns)]
    for system in ordered(result):
        cells = "".join(f"{result.mean(system, name):>19.4f}" for name in columns)
        low, high = result.intervals[system][params.primary]
        lines.append(f"{LABELS[system]:<28}{cells}   {params.primary} in [{low:.3f}, {high:.3f}]")
    lines.append("")
    names = [name for name, mask in result.slices.items() if mask.any()]
    width = 2 + max([12, *map(len, names)])
    lines.append(f"{params.primary:<28}" + "".join(f"{name:>{width}}" for name in names))
    for system in ordered(result):
        means = [result.mean(system, params.primary, name) for name in names]
        cells = "".join(f"{mean:>{width}.4f}" for mean in means)
        lines.append(f"{LABELS[system]:<28}{cells}")
    counts = "".join(f"{result.slices[name].sum():>{width}}" for name in names)
    lines.append(f"{'queries':<28}{counts}")
    lines.append("")
    lines += [f"{text}  {detail}" for text, detail, _ in _differences(result, params)]
    return "\n".join(lines) + "\n"


def _columns(params: EvaluateParams) -> list[str]:
    """Return the metrics of the tables: the primary one, and each kind at a telling cutoff."""
    middle = 10 if 10 in params.cutoffs else sorted(params.cutoffs)[len(params.cutoffs) // 2]
    largest = max(params.cutoffs)
    cutoff_of = {"recall": largest, "capped_recall": largest, "f1": largest}
    names = [params.primary]
    names += [f"{name}@{cutoff_of.get(name, middle)}" for name in _TABLE_METRICS]
    return list(dict.fromkeys(names))


def _differences(result: SetResult, params: EvaluateParams) -> list[tuple[str, str, str]]:
    lines = []
    for system, gap in result.differences.items():
        sure = gap.low > 0 or gap.high < 0
        word = "better" if gap.mean > 0 else "worse"
        verdict = f"{word} than" if sure else "not clearly different from"
        text = f"{LABELS[HYBRID]} is {verdict} {LABELS[system]}: "
        text += f"{100 * gap.mean:+.1f} points {params.primary}"
        detail = f"(95 % {100 * gap.low:+.1f} to {100 * gap.high:+.1f}, p = {gap.p_value:.2g})"
        direction = ("up" if gap.mean > 0 else "down") if sure else "soft"
        lines.append((text, detail, direction))
    return lines


def _set_content(
    result: SetResult, params: EvaluateParams, before: Regression | None
) -> dict[str, Any]:
    heading, note = _HEADINGS[result.queries.name]
    systems = ordered(result)
    rows = []
    for system in systems:
        cells = []
        for name in _columns(params):
            low, high = result.intervals[system][name]
            interval = f"{low:.3f}\u2013{high:.3f}" if name == params.primary else ""
            cells.append({"value": f"{result.mean(system, name):.3f}", "interval": interval})
        rows.append({"label": LABELS[system], "ours": system == HYBRID, "cells": cells})
    primary = [
        (s, LABELS[s], result.mean(s, params.primary), result.intervals[s][params.primary])
        for s in systems
    ]
    curves = {
        s: (LABELS[s], [result.mean(s, f"recall@{k}") for k in params.cutoffs]) for s in systems
    }
    return {
        "id": result.queries.name,
        "heading": f"{heading} ({result.queries.size})",
        "value": f"{result.mean(HYBRID, params.primary):.3f}",
        "interval": "{:.3f}\u2013{:.3f}".format(*result.intervals[HYBRID][params.primary]),
        "before": before and _against(before),
        "weakest": _weakest(result, params.primary),
        "note": note,
        "rows": rows,
        "differences": [
            {"text": text, "detail": detail, "direction": direction}
            for text, detail, direction in _differences(result, params)
        ],
        "slice_labels": [LABELS[system] for system in systems],
        "slices": [
            {
                "name": name.replace("_", " "),
                "queries": int(mask.sum()),
                "values": [f"{result.mean(s, params.primary, name):.3f}" for s in systems],
            }
            for name, mask in result.slices.items()
            if mask.any()
        ],
        "bars": plots.bars(primary),
        "lines": plots.lines([f"@{k}" for k in params.cutoffs], curves),
        "gates": plots.histogram(result.gate),
        "weights": [] if result.weights is None else _weights(result.weights, result.slices),
        "moved": [] if result.weights is None else result.weights.words,
        "reliabilities": [
            _reliability("P(q)", reliability, f"{reliability.queries:,} queries")
            for reliability in result.reliability.values()
        ]
        + ([_relevance(result.relevance)] if result.relevance else []),
    }


def _weights(weights: Weights, slices: dict[str, NDArray[np.bool_]]) -> list[dict[str, Any]]:
    return [
        {"name": name.replace("_", " "), "values": [f"{share:.0%}" for share in shares]}
        for name, shares in weights.by_slice(slices)
    ]


def _reliability(told: str, reliability: Reliability, of: str) -> dict[str, Any]:
    return {
        "title": f"{told} as the chance that {reliability.outcome}",
        "note": f"expected calibration error {reliability.error:.3f}, of which chance alone makes "
        f"{reliability.by_chance:.3f}, {of}",
        "plot": plots.reliability(list(reliability.bins.itertuples(index=False))),
    }


def _relevance(relevance: RelevanceResult) -> dict[str, Any]:
    of = (
        f"{relevance.reliability.queries:,} hits; of those below {relevance.cut:.3f}, "
        f"{relevance.gone:.0%} of the irrelevant and {1 - relevance.kept:.1%} of the relevant"
    )
    return _reliability("A hit's relevance", relevance.reliability, of)


def _against(before: Regression) -> dict[str, str]:
    """Return how a set compares with the current release, as text cells."""
    gained = round(-before.loss, 3) + 0.0
    direction = "up" if gained > 0 else "down" if gained < 0 else "soft"
    return {
        "old": f"{before.old:.3f}",
        "gained": f"{100 * gained:+.1f} points",
        "direction": direction,
    }


def _weakest(result: SetResult, metric: str) -> str:
    """Return the slice that the search serves worst, in words; "" without slices."""
    found = {name: result.mean(HYBRID, metric, name) for name in result.slices}
    found = {name: value for name, value in found.items() if not np.isnan(value)}
    if not found:
        return ""
    worst = min(found, key=found.__getitem__)
    return f"{worst.replace('_', ' ')} {found[worst]:.3f}"
