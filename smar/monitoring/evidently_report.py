"""Evidently's drift scores of the columns, and its page for those who want every distribution."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from smar.artifacts import write_file
from smar.monitoring.signals import Signal

_CATEGORIES = ("category", "asked")
_NUMBERS = ("price", "title_words", "query_words", "gate")


def column_distances(
    frames: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    embeddings: Sequence[Signal],
    report: Path | None,
) -> dict[tuple[str, str], float]:
    """Return Evidently's drift score by (group, column).

    Jensen-Shannon distance for categories; Wasserstein distance over the reference's standard
    deviation for numbers. The domain classifiers' AUC, which Evidently would take from a single
    split, are shown in its page as custom metrics.

    Args:
        frames: Columns of the reference and of today, by group.
        embeddings: Signals of the embeddings, for the page.
        report: Where the page goes, None for no page.
    """
    os.environ["DO_NOT_TRACK"] = "1"  # read when Evidently is imported
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    from smar.monitoring.evidently_metric import DomainClassifierAuc

    distances = {}
    metrics: list[Any] = []
    sides: list[list[pd.DataFrame]] = [[], []]
    for group, pair in frames.items():
        for column in pair[0].columns:
            if column not in {*_CATEGORIES, *_NUMBERS}:
                continue
            for side, frame in zip(sides, pair, strict=True):
                side.append(frame[[column]].add_prefix(f"{group}."))
            method = "jensenshannon" if column in _CATEGORIES else "wasserstein"
            metrics.append(ValueDrift(column=f"{group}.{column}", method=method))
    names = [metric.column for metric in metrics]
    definition = DataDefinition(
        categorical_columns=[n for n in names if n.partition(".")[2] in _CATEGORIES],
        numerical_columns=[n for n in names if n.partition(".")[2] in _NUMBERS],
    )
    # Groups have different numbers of rows; side by side, the shorter ones end in missing values,
    # which Evidently leaves out column by column.
    data = [
        Dataset.from_pandas(pd.concat(side, axis=1), data_definition=definition) for side in sides
    ]
    metrics += [
        DomainClassifierAuc(name=one.text, auc=one.value, seen=one.now) for one in embeddings
    ]
    snapshot = Report(metrics).run(data[1], data[0])
    for found in snapshot.dict()["metrics"]:
        column = found["config"].get("column")
        if column:
            group, _, name = column.partition(".")
            distances[group, name] = float(found["value"])
    if report:
        with write_file(report) as temporary:
            snapshot.save_html(str(temporary))
    return distances
