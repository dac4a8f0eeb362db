"""The query sets that a project can be measured on."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from smar.data.schema import ACTIONS
from smar.judging.runs import QuerySet, build_query_set
from smar.seeding import generator

MOST_SYNTHETIC = 1000
MOST_VALIDATION = 5000


def test_set(
    queries: pd.DataFrame,
    judgements: pd.DataFrame,
    item_ids: Sequence[str],
    relevant_grade: int,
) -> QuerySet:
    """Return the judged queries that decide nothing: what is reported of a model."""
    return _judged_set("test", queries, judgements, item_ids, relevant_grade)


def trial_set(
    queries: pd.DataFrame,
    judgements: pd.DataFrame,
    item_ids: Sequence[str],
    relevant_grade: int,
) -> QuerySet:
    """Return the judged queries that releases are decided on."""
    return _judged_set("trial", queries, judgements, item_ids, relevant_grade)


def _judged_set(
    name: str,
    queries: pd.DataFrame,
    judgements: pd.DataFrame,
    item_ids: Sequence[str],
    relevant_grade: int,
) -> QuerySet:
    chosen = queries[queries["split"] == name]
    labels = judgements[judgements["query_id"].isin(chosen["query_id"])]
    return build_query_set(name, chosen, labels, item_ids, relevant_grade)


def validation_set(
    queries: pd.DataFrame,
    engagements: pd.DataFrame,
    item_ids: Sequence[str],
    *,
    most: int | None = None,
    seed: int = 0,
) -> QuerySet:
    """Return the log's held-out queries, judged by what shoppers did; choices are made on it.

    Grade 1 = clicked, 2 = added to a cart, 3 = bought, the highest per item; relevant from 1.
    Clicks follow what the shop showed, so the level is low and only differences mean something.

    Args:
        queries: Query table (`schema.QUERIES`).
        engagements: Engagement table (`schema.ENGAGEMENTS`).
        item_ids: Ids of the items that are searched, [N].
        most: More queries than this are drawn from: what a set costs grows with the items and with
            its queries, and those of a log grow with the items too. None takes all.
        seed: Draws them.
    """
    held_out = queries[queries["split"] == "validation"]
    used = engagements[engagements["query_id"].isin(held_out["query_id"])]
    engaged = held_out[held_out["query_id"].isin(used["query_id"])]
    drawn_from = len(engaged) if most is not None and len(engaged) > most else 0
    if drawn_from:
        rows = generator(seed, "validation set").choice(drawn_from, most, replace=False)
        held_out = engaged.iloc[np.sort(rows)]
        used = used[used["query_id"].isin(held_out["query_id"])]
    grade = used["action"].map({action: place + 1 for place, action in enumerate(ACTIONS)})
    graded = used.assign(grade=grade.astype("int64"))
    labels = graded.groupby(["query_id", "item_id"])["grade"].max().reset_index()
    found = build_query_set("validation", held_out, labels, item_ids, 1)
    return replace(found, drawn_from=drawn_from)


def choice_set(
    queries: pd.DataFrame,
    engagements: pd.DataFrame,
    synthetic: pd.DataFrame,
    item_ids: Sequence[str],
    seed: int,
) -> QuerySet:
    """Return what settings are chosen by: the log's held-out queries, or else synthetic ones.

    Synthetic queries are made of an item's words, so where there is no log they speak for words.
    """
    chosen = validation_set(queries, engagements, item_ids)
    return chosen if len(chosen) else synthetic_set(synthetic, item_ids, seed)


def synthetic_set(synthetic: pd.DataFrame, item_ids: Sequence[str], seed: int) -> QuerySet:
    """Return held-out synthetic queries with the items they were made from, at most 1,000.

    Known-item search: the measure of a shop that has neither log nor judgements.
    """
    held_out = synthetic[synthetic["split"] == "validation"]
    texts = np.sort(held_out["query"].unique())
    if len(texts) > MOST_SYNTHETIC:
        rng = generator(seed, "synthetic set")
        texts = np.sort(rng.choice(texts, MOST_SYNTHETIC, replace=False))
    held_out = held_out[held_out["query"].isin(texts)]
    queries = pd.DataFrame({"query_id": texts, "query": texts, "num_searches": 0})
    queries["query_id"] = [f"synthetic-{number:04d}" for number in range(len(texts))]
    ids = queries.set_index("query")["query_id"]
    labels = pd.DataFrame(
        {"query_id": held_out["query"].map(ids), "item_id": held_out["item_id"], "grade": 1}
    ).drop_duplicates()
    return build_query_set("synthetic", queries, labels, item_ids, 1)
