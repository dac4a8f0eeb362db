"""Judged query sets, runs over them, and the TREC files both are exchanged in.

Shapes: Q queries, N items, K results.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from smar.errors import DataError, ShapeError
from smar.replace import write_file


@dataclass(frozen=True)
class QuerySet:
    """Queries with their judgements.

    Args:
        name: "test", "trial", "validation", "synthetic", or what else it is made of.
        query_ids: Ids, [Q].
        texts: Normalised texts, [Q].
        num_searches: Searches of the text in the log, [Q].
        qrels: Grades, 0 = not judged or not relevant, [Q, N].
        relevant_grade: Lowest grade that counts as relevant.
        drawn_from: How many queries there are, if these were drawn from more; else 0.
    """

    name: str
    query_ids: list[str]
    texts: list[str]
    num_searches: NDArray[np.int64]
    qrels: csr_matrix
    relevant_grade: int
    drawn_from: int = 0

    def __len__(self) -> int:
        return len(self.query_ids)

    def some(self, rows: NDArray[np.int64]) -> "QuerySet":
        """Return some of the queries, in the order given."""
        return replace(
            self,
            query_ids=[self.query_ids[row] for row in rows],
            texts=[self.texts[row] for row in rows],
            num_searches=self.num_searches[rows],
            qrels=self.qrels[rows],
        )

    @property
    def size(self) -> str:
        """How many queries there are, for people."""
        drawn = f" drawn of {self.drawn_from:,}" if self.drawn_from else ""
        return f"{len(self):,}{drawn}"

    @property
    def relevant(self) -> csr_matrix:
        """1 where an item is relevant, [Q, N]."""
        matrix = self.qrels.copy()
        matrix.data = (matrix.data >= self.relevant_grade).astype(np.float64)
        matrix.eliminate_zeros()
        return matrix


@dataclass(frozen=True)
class Run:
    """Ranked items of every query of a set.

    Args:
        system: Name of what ranked them.
        rows: Rows of the item table, best first, -1 = nothing, [Q, K].
        scores: Scores, falling, [Q, K].
    """

    system: str
    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


def build_query_set(
    name: str,
    queries: pd.DataFrame,
    labels: pd.DataFrame,
    item_ids: Sequence[str],
    relevant_grade: int,
) -> QuerySet:
    """Return the queries that have at least one relevant item; the others can teach nothing.

    Args:
        name: Name of the set.
        queries: Columns query_id, query and num_searches.
        labels: Columns query_id, item_id and grade; pairs once each.
        item_ids: Ids in the order of the item table.
        relevant_grade: Lowest grade that counts as relevant.

    Raises:
        DataError: If a label names a query or an item that is not there.
    """
    item_row = pd.Series(np.arange(len(item_ids)), index=list(item_ids))
    unknown = [
        f"{kind} {min(missing)!r} and {len(missing) - 1} more"
        for kind, missing in (
            ("query", set(labels["query_id"]) - set(queries["query_id"])),
            ("item", set(labels["item_id"]) - set(item_row.index)),
        )
        if missing
    ]
    if unknown:
        raise DataError(
            f"{name} judgements name what is not there: {'; '.join(unknown)}. Run `dvc repro` so "
            "that tables and judgements come from one ingest."
        )
    best = labels.groupby("query_id")["grade"].max()
    kept = queries[queries["query_id"].map(best).fillna(0) >= relevant_grade]
    kept = kept.sort_values("query_id", kind="stable").reset_index(drop=True)
    query_row = pd.Series(kept.index, index=kept["query_id"])
    used = labels[labels["query_id"].isin(query_row.index)]
    qrels = csr_matrix(
        (
            used["grade"].to_numpy(np.float64),
            (query_row.loc[used["query_id"]].to_numpy(), item_row.loc[used["item_id"]].to_numpy()),
        ),
        shape=(len(kept), len(item_ids)),
    )
    return QuerySet(
        name=name,
        query_ids=list(kept["query_id"]),
        texts=list(kept["query"]),
        num_searches=kept["num_searches"].to_numpy(np.int64),
        qrels=qrels,
        relevant_grade=relevant_grade,
    )


def grades_of(run: Run, queries: QuerySet) -> NDArray[np.float64]:
    """Return the grade of every ranked item, 0 where there is none, [Q, K].

    Raises:
        ShapeError: If the run has another number of queries.
    """
    if len(run.rows) != len(queries):
        raise ShapeError(f"run '{run.system}': {len(run.rows)} queries, expected {len(queries)}.")
    if not len(queries):
        return np.zeros(run.rows.shape)
    query = np.repeat(np.arange(len(queries)), run.rows.shape[1])
    item = np.maximum(run.rows.ravel(), 0)
    grades = np.asarray(queries.qrels[query, item]).reshape(run.rows.shape)
    return np.where(run.rows >= 0, grades, 0.0)


def write_trec_run(path: Path, run: Run, queries: QuerySet, item_ids: Sequence[str]) -> None:
    """Write `query Q0 item rank score system` lines."""
    found = run.rows >= 0
    query, rank = np.nonzero(found)
    table = pd.DataFrame(
        {
            "query": np.array(queries.query_ids, dtype=object)[query],
            "q0": "Q0",
            "item": np.array(item_ids, dtype=object)[run.rows[found]],
            "rank": rank + 1,
            "score": np.char.mod("%.6f", run.scores[found]),
            "system": run.system,
        }
    )
    with write_file(path) as temporary:
        table.to_csv(temporary, sep=" ", header=False, index=False)


def write_trec_qrels(path: Path, queries: QuerySet, item_ids: Sequence[str]) -> None:
    """Write `query 0 item grade` lines."""
    entries = queries.qrels.tocoo()
    table = pd.DataFrame(
        {
            "query": np.array(queries.query_ids, dtype=object)[entries.row],
            "iteration": 0,
            "item": np.array(item_ids, dtype=object)[entries.col],
            "grade": entries.data.astype(np.int64),
        }
    )
    with write_file(path) as temporary:
        table.to_csv(temporary, sep=" ", header=False, index=False)
