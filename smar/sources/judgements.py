"""Judged test queries: TREC qrels, ESCI labels, or a plain table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from smar.data.schema import normalize_query
from smar.errors import DataError, list_problems, near_match
from smar.params import JudgementParams
from smar.sources.quarantine import Quarantine

SOURCE = "judgements"
# Shopping Queries (ESCI) labels as grades; the gains of the data set's paper are E 1, S .1, C .01.
ESCI_GRADES = {
    "e": 3, "exact": 3, "s": 2, "substitute": 2, "c": 1, "complement": 1, "i": 0, "irrelevant": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Judgements:
    """Judgements that were read.

    Args:
        queries: Columns query_id and query (normalised text).
        labels: Columns of `schema.JUDGEMENTS`.
    """

    queries: pd.DataFrame
    labels: pd.DataFrame


def read_judgements(
    folder: Path, params: JudgementParams, item_ids: set[str], quarantine: Quarantine
) -> Judgements:
    """Return the judged queries and their labels; bad rows go to the quarantine.

    Raises:
        DataError: If a file is missing, unreadable or lacks a column.
    """
    queries, labels = _READERS[params.kind](folder, params)
    queries = queries.assign(
        row=range(1, len(queries) + 1), query=queries["query"].map(normalize_query)
    )
    quarantine.see(SOURCE, len(queries) + len(labels))
    queries = quarantine.take(
        SOURCE,
        queries,
        queries["query"] == "",
        key="query_id",
        column="query",
        reason="query is empty",
    )
    queries = quarantine.take(
        SOURCE,
        queries,
        queries["query_id"].duplicated(),
        key="query_id",
        column="query_id",
        reason="query id is repeated",
    )
    labels = _clean_labels(labels, set(queries["query_id"]), item_ids, quarantine)
    return Judgements(
        queries[["query_id", "query"]].reset_index(drop=True), labels.reset_index(drop=True)
    )


def _clean_labels(
    labels: pd.DataFrame, query_ids: set[str], item_ids: set[str], quarantine: Quarantine
) -> pd.DataFrame:
    labels = labels.assign(row=range(1, len(labels) + 1))
    labels["value"] = pd.to_numeric(labels["grade"], errors="coerce").astype("float64")
    repeated = labels.duplicated(["query_id", "item_id"])
    checks: list[tuple[str, str, Callable[[pd.DataFrame], pd.Series]]] = [
        ("query_id", "query is unknown", lambda f: ~f["query_id"].isin(query_ids)),
        ("item_id", "item is unknown", lambda f: ~f["item_id"].isin(item_ids)),
        (
            "grade",
            "grade is not a whole number >= 0",
            lambda f: f["value"].isna() | (f["value"] < 0) | (f["value"] % 1 != 0),
        ),
        ("item_id", "pair is judged twice", lambda f: repeated.loc[f.index]),
    ]
    for column, reason, is_bad in checks:
        labels = quarantine.take(
            SOURCE, labels, is_bad(labels), key="query_id", column=column, reason=reason
        )
    labels = labels.assign(grade=labels["value"].astype("int64"))
    return labels[["query_id", "item_id", "grade"]]


def _read_none(folder: Path, params: JudgementParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    return (
        pd.DataFrame({"query_id": [], "query": []}, dtype=str),
        pd.DataFrame({"query_id": [], "item_id": [], "grade": []}, dtype=str),
    )


def _read_trec(folder: Path, params: JudgementParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return queries of `id <tab> text` and qrels of `query iteration item grade`."""
    queries = _read(folder / params.queries, sep="\t", header=None, quoting=3)
    labels = _read(folder / params.labels, sep=r"\s+", header=None)
    for path, frame, columns in ((params.queries, queries, 2), (params.labels, labels, 4)):
        if frame.shape[1] != columns:
            raise DataError(f"{folder / path}: {frame.shape[1]} columns, expected {columns}.")
    queries.columns = ["query_id", "query"]
    labels.columns = ["query_id", "iteration", "item_id", "grade"]
    return queries, labels[["query_id", "item_id", "grade"]]


def _read_esci(folder: Path, params: JudgementParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the Shopping Queries form: one row per example, with query text and label."""
    frame = _columns(
        folder / params.labels,
        params,
        {
            "query_id": "query_id",
            "query": "query",
            "item_id": "product_id",
            "grade": "esci_label",
        },
    )
    labels = frame["grade"].str.strip().str.lower()
    grades = labels.map(ESCI_GRADES).astype(object)
    frame["grade"] = grades.where(grades.notna(), frame["grade"])
    return (
        frame[["query_id", "query"]].drop_duplicates("query_id").reset_index(drop=True),
        frame[["query_id", "item_id", "grade"]],
    )


def _read_table(folder: Path, params: JudgementParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a table of queries and a table of labels; columns mapped by ingest.judgements."""
    queries = _columns(folder / params.queries, params, {"query_id": "query_id", "query": "query"})
    labels = _columns(
        folder / params.labels,
        params,
        {"query_id": "query_id", "item_id": "item_id", "grade": "grade"},
    )
    return queries, labels


_READERS: dict[str, Callable[[Path, JudgementParams], tuple[pd.DataFrame, pd.DataFrame]]] = {
    "none": _read_none,
    "trec": _read_trec,
    "esci": _read_esci,
    "table": _read_table,
}


def _columns(path: Path, params: JudgementParams, names: dict[str, str]) -> pd.DataFrame:
    """Return the columns of a table under our names, as text."""
    raw = _read(path, sep="\t" if path.suffix == ".tsv" else ",")
    wanted = {ours: params.columns.get(ours, theirs) for ours, theirs in names.items()}
    missing = [
        f"no column '{theirs}' for {ours}.{near_match(theirs, raw.columns)}"
        for ours, theirs in wanted.items()
        if theirs not in raw.columns
    ]
    if missing:
        headline = f"{path}: has columns {', '.join(raw.columns)}; set ingest.judgements.columns:"
        raise DataError(list_problems(headline, missing))
    return pd.DataFrame({ours: raw[theirs] for ours, theirs in wanted.items()})


def _read(path: Path, **settings: object) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(
            f"{path}: no judgements there. Check ingest.folder and ingest.judgements in "
            "params.yaml, or set ingest.judgements.kind to none."
        )
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path).astype("string").fillna("").astype(str)
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, **settings)  # type: ignore[call-overload]
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path}: is empty.") from error
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    return frame
