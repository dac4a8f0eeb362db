"""Judged test queries: their texts and their grades, whatever form they are kept in."""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

from smar.data import row_rules
from smar.data.schema import normalize_query
from smar.params import JudgementParams
from smar.sources.grades import read_grades
from smar.sources.item_ids import ItemIds
from smar.sources.judgement_files import SOURCE, read_files
from smar.sources.quarantine import Quarantine

logger = logging.getLogger(__name__)

QUERIES = "judged queries"


@dataclass(frozen=True)
class Judgements:
    """Judgements that were read.

    Args:
        queries: Columns query_id and query (normalised text).
        labels: Columns of `schema.JUDGEMENTS`.
        notes: What was met that is not bad, in words.
    """

    queries: pd.DataFrame
    labels: pd.DataFrame
    notes: list[str] = field(default_factory=list)


def read_judgements(
    folder: Path,
    params: JudgementParams,
    item_ids: pa.Array | Iterable[str],
    quarantine: Quarantine,
) -> Judgements:
    """Return the judged queries and their labels; bad rows go to the quarantine.

    Raises:
        DataError: If a file is missing, unreadable or lacks a column.
    """
    raw = read_files(folder, params, quarantine)
    notes: list[str] = []
    queries = pd.DataFrame(raw.queries, columns=["row", "query_id", "query"])
    queries = _clean_queries(queries, quarantine, notes)
    labels = pd.DataFrame(raw.labels, columns=["row", "query_id", "item_id", "grade"])
    ids = ItemIds(item_ids)
    labels = labels.assign(item_id=ids.known(labels["item_id"]))
    labels = _clean_labels(labels, params, set(queries["query_id"]), ids.all, quarantine, notes)
    notes += [f"{number} x {note}" for note, number in ids.notes.items()]
    for note in notes:
        logger.info("judgements: %s", note)
    return Judgements(
        queries[["query_id", "query"]].reset_index(drop=True), labels.reset_index(drop=True), notes
    )


def _clean_queries(queries: pd.DataFrame, quarantine: Quarantine, notes: list[str]) -> pd.DataFrame:
    queries = queries.assign(query=queries["query"].map(normalize_query).astype(object))
    queries = queries.drop_duplicates(["query_id", "query"])  # a row for each of its judgements
    quarantine.see(QUERIES, len(queries))
    queries = quarantine.hold(QUERIES, queries, row_rules.QUERIES, key="query_id")
    if same := int(queries["query"].duplicated().sum()):
        notes.append(f"{same} queries have the text of another one; each is judged for itself")
    return queries


def _clean_labels(
    labels: pd.DataFrame,
    params: JudgementParams,
    query_ids: set[str],
    item_ids: pa.Array,
    quarantine: Quarantine,
    notes: list[str],
) -> pd.DataFrame:
    unjudged = labels["grade"].astype(str).str.strip() == ""
    if number := int(unjudged.sum()):
        notes.append(f"{number} pairs have no grade: they were not judged")
    labels = labels[~unjudged]
    scale = params.scale if params.scale == "auto" else list(params.scale)
    grades = read_grades(labels["grade"].astype(str), params.grades, scale)
    notes += grades.notes
    labels = labels.assign(value=grades.grade, grade_reason=grades.reason)
    again = labels.duplicated(["query_id", "item_id", "value"])
    if number := int(again.sum()):
        notes.append(f"{number} pairs are judged again with the same grade")
    labels = labels[~again]
    quarantine.see(SOURCE, len(labels))
    for reason in sorted(set(labels["grade_reason"]) - {""}):
        bad = labels["grade_reason"] == reason
        labels = quarantine.take(SOURCE, labels, bad, key="query_id", column="grade", reason=reason)
    known: row_rules.Known = {"query_id": query_ids, "item_id": item_ids}
    labels = quarantine.hold(SOURCE, labels, row_rules.JUDGEMENTS, key="query_id", known=known)
    labels = labels.assign(grade=labels["value"].astype("int64"))
    counted = Counter(labels["grade"])
    if counted:
        logger.info("judgements: grades %s", dict(sorted(counted.items())))
    return labels[["query_id", "item_id", "grade"]]
