"""The queries of a task with their right answers: as published, or made from the catalogue."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from smar.data.schema import normalize_query
from smar.datasets.catalogue import Catalogue
from smar.datasets.dataset import Dataset, Source, Task
from smar.datasets.preparing import part_of
from smar.errors import DataError
from smar.judging.runs import QuerySet, build_query_set
from smar.seeding import generator


def find_answers(dataset: Dataset, source: Source, folder: Path | None) -> dict[str, Path]:
    """Return the published files of right answers by name.

    Args:
        dataset: Whose tasks they are of.
        source: The folder with the catalogue, and perhaps them.
        folder: Another folder that holds them; None for none.

    Raises:
        DataError: If that other folder holds none.
    """
    if folder is None:
        return {path.name: path for path in source.files.get("truth", [])}
    wanted = [task.truth for task in dataset.tasks if task.truth]
    found = {path.name: path for path in folder.rglob("*.json") if path.name in wanted}
    if not found:
        raise DataError(f"{folder}: holds none of {', '.join(wanted)}. Mend --truth.")
    return found


def queries_of(
    dataset: Dataset,
    source: Source,
    task: Task,
    answers: Mapping[str, Path],
    catalogue: Catalogue,
    seed: int,
) -> tuple[QuerySet, list[str]]:
    """Return a task's queries with their right answers, and what differs of them.

    Args:
        dataset: Whose task it is.
        source: Its folder.
        task: The task.
        answers: Published files by name, as of `find_answers`.
        catalogue: The items.
        seed: Of the sample, where the answers are made from the catalogue.

    Raises:
        DataError: If a file of answers is none.
    """
    known = set(catalogue.items["item_id"])
    notes: list[str] = []
    if task.truth in answers:
        pairs = _published(answers[task.truth])
        there = pairs[pairs["item_id"].isin(known)]
        if len(there) < len(pairs):
            lost = pairs["query"].nunique() - there["query"].nunique()
            notes.append(
                f"NOT COMPARABLE: {task.name}: {len(pairs) - len(there):,} of {len(pairs):,} right "
                f"answers are not in this catalogue; {lost:,} queries have none left and are out"
            )
    else:
        pairs = there = _made(dataset, source, task, catalogue, seed)
        if pairs.empty:
            return _query_set(task, there, catalogue), [f"{task.name}: no column {task.column}"]
        file = f" (no {task.truth})" if task.truth else ""
        notes.append(
            f"{task.name}: right answers are made from the catalogue's {task.column}{file}, "
            f"{pairs['query'].nunique():,} queries"
        )
    return _query_set(task, there, catalogue), notes


def _query_set(task: Task, pairs: pd.DataFrame, catalogue: Catalogue) -> QuerySet:
    """Return the queries of a task; each text is asked once, as it is written."""
    labels = pairs.assign(query_id=pairs["query"]).drop_duplicates(["query_id", "item_id"])
    queries = labels[["query_id", "query"]].drop_duplicates().assign(num_searches=0)
    ids = list(catalogue.items["item_id"])
    return build_query_set(task.name, queries, labels, ids, 1)


def _published(path: Path) -> pd.DataFrame:
    """Return pairs of a file of right answers: {query: {item id: grade}}."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = [
            (query, str(item_id), int(grade))
            for query, answers in content.items()
            for item_id, grade in answers.items()
            if grade > 0
        ]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"{path}: is no file of right answers, {{query: {{item id: grade}}}}: {error}. "
            "Download it again, or take it away."
        ) from error
    return pd.DataFrame(rows, columns=["query", "item_id", "grade"])


def _made(
    dataset: Dataset, source: Source, task: Task, catalogue: Catalogue, seed: int
) -> pd.DataFrame:
    """Return pairs of a column's values and the items that have them, a sample of the values."""
    if task.column == "query" and dataset.labels:
        labels = dataset.labels(source, part_of(dataset, ""))
        pairs = pd.DataFrame(
            [(label.query, label.item_id) for label in labels], columns=["query", "item_id"]
        )
        pairs = pairs[pairs["item_id"].isin(set(catalogue.items["item_id"]))]
    elif task.column in catalogue.columns:
        columns = catalogue.columns
        pairs = pd.DataFrame({"query": columns[task.column], "item_id": columns["id"]})
    else:
        pairs = pd.DataFrame({"query": [], "item_id": []}, dtype=object)
    pairs = pairs[pairs["query"].map(normalize_query) != ""].assign(grade=1)
    values = np.sort(pairs["query"].unique().astype(object))
    if task.max_queries and len(values) > task.max_queries:
        chosen = generator(seed, "datasets", task.name).choice(
            len(values), task.max_queries, replace=False
        )
        pairs = pairs[pairs["query"].isin(set(values[np.sort(chosen)]))]
    return pairs
