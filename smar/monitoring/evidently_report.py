"""Evidently's drift scores of the columns, and its page for those who want every distribution."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from smar.monitoring.signals import Signal
from smar.pages.render import counted_ids
from smar.replace import write_file

_CATEGORIES = ("category", "asked")
_NUMBERS = ("price", "title_words", "query_words", "gate")


def column_distances(
    frames: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    embeddings: Sequence[Signal],
    report: Path | None,
) -> dict[tuple[str, str], float]:
    """Return Evidently's drift score by (group, column), none where a side holds no value.

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

    names = [
        f"{group}.{column}"
        for group, (before, now) in frames.items()
        for column in before.columns
        if column in {*_CATEGORIES, *_NUMBERS}
        and not (before[column].isna().all() or now[column].isna().all())
    ]
    categories = [name for name in names if name.partition(".")[2] in _CATEGORIES]
    definition = DataDefinition(
        categorical_columns=categories,
        numerical_columns=[name for name in names if name not in categories],
    )
    metrics: list[Any] = [
        ValueDrift(column=name, method="jensenshannon" if name in categories else "wasserstein")
        for name in names
    ]
    metrics += [
        DomainClassifierAuc(name=one.text, auc=one.value, seen=one.now) for one in embeddings
    ]
    before, now = (
        Dataset.from_pandas(_side_by_side(frames, side)[names], data_definition=definition)
        for side in (0, 1)
    )
    snapshot = Report(metrics).run(now, before)
    if report:
        with write_file(report) as temporary:
            snapshot.save_html(str(temporary))
            text = counted_ids(temporary.read_text(encoding="utf-8"))
            temporary.write_text(text, encoding="utf-8")
    found = {one["config"].get("column"): one["value"] for one in snapshot.dict()["metrics"]}
    return {(name.partition(".")[0], name.partition(".")[2]): float(found[name]) for name in names}


def _side_by_side(
    frames: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]], side: int
) -> pd.DataFrame:
    """Return the columns of all groups in one table.

    Groups have different numbers of rows: the shorter ones end in missing values, which Evidently
    leaves out column by column.
    """
    return pd.concat([pair[side].add_prefix(f"{g}.") for g, pair in frames.items()], axis=1)
