"""Two retrievers on the same judged queries, over the items that both have.

An item that only one of them has says nothing about the models, so ranks are compared over the
shared items; what shoppers get, each with its own catalogue, is reported beside it.

Shapes: Q queries, N items, K results.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from smar.judging.compare import Difference, paired_difference
from smar.judging.judged import JudgedQueries
from smar.judging.metrics import score_run
from smar.judging.runs import QuerySet, Run
from smar.params import EvaluateParams
from smar.seeding import generator
from smar.service.ranking import rank
from smar.service.retriever import Retriever

OVERALL = "all"
_TIMED = 50
_WARM_UP = 5


@dataclass(frozen=True)
class Row:
    """One slice in a table of the comparison.

    Args:
        name: Name of the slice, "all" for every query.
        queries: How many.
        new: Mean of the primary metric of the candidate.
        old: Mean of the current release.
        gap: new - old, paired.
    """

    name: str
    queries: int
    new: float
    old: float
    gap: Difference


@dataclass(frozen=True)
class Table:
    """One metric of a candidate and a release on one query set.

    Args:
        against: Version of the release.
        query_set: Name of the query set.
        metric: For example "recall@50".
        rows: All queries first, then every slice that is not empty.
    """

    against: str
    query_set: str
    metric: str
    rows: list[Row]


@dataclass(frozen=True)
class Comparison:
    """What two retrievers did on the same queries.

    Args:
        queries: The queries that have a relevant shared item.
        item_ids: Shared items; the runs' rows point here.
        new: Run of the candidate.
        old: Run of the current release.
        values: Metric values of "new" and "old", one per query.
        slices: Masks by slice name.
        rows: The primary metric, overall and per slice.
    """

    queries: QuerySet
    item_ids: list[str]
    new: Run
    old: Run
    values: dict[str, dict[str, NDArray[np.float64]]]
    slices: dict[str, NDArray[np.bool_]]
    rows: list[Row]

    def table(self, metric: str, against: str, params: EvaluateParams, seed: int) -> Table:
        """Return the table of a metric; `against` is the version of the old side."""
        new, old = (self.values[name][metric] for name in ("new", "old"))
        rows = slice_rows(new, old, self.slices, params, seed)
        return Table(against, self.queries.name, metric, rows)


def compare(
    new: Retriever, old: Retriever, judged: JudgedQueries, params: EvaluateParams, seed: int
) -> Comparison:
    """Return how two retrievers rank the items that both have."""
    known = set(old.index.item_ids)
    shared = [item_id for item_id in new.index.item_ids if item_id in known]
    queries = judged.on(shared)
    k = max(params.cutoffs)
    runs = {name: rank(one, queries, shared, k) for name, one in (("new", new), ("old", old))}
    values = {name: score_run(run, queries, params.cutoffs) for name, run in runs.items()}
    primary = {name: metrics[params.primary] for name, metrics in values.items()}
    slices = judged.slices(queries)
    rows = slice_rows(primary["new"], primary["old"], slices, params, seed)
    return Comparison(queries, shared, runs["new"], runs["old"], values, slices, rows)


def compare_as_served(
    new: Retriever, old: Retriever, judged: JudgedQueries, params: EvaluateParams, seed: int
) -> list[Row]:
    """Return the table with each retriever's own catalogue: an item it lacks is not found."""
    item_ids = list(dict.fromkeys([*new.index.item_ids, *old.index.item_ids]))
    queries = judged.on(item_ids)
    k = max(params.cutoffs)
    primary = [
        score_run(rank(one, queries, item_ids, k), queries, params.cutoffs)[params.primary]
        for one in (new, old)
    ]
    return slice_rows(primary[0], primary[1], judged.slices(queries), params, seed)


def slice_rows(
    new: NDArray[np.float64],
    old: NDArray[np.float64],
    slices: dict[str, NDArray[np.bool_]],
    params: EvaluateParams,
    seed: int,
) -> list[Row]:
    """Return the table of a comparison: all queries first, then every slice that is not empty."""
    masks = {OVERALL: np.ones(len(new), dtype=bool)} | slices
    return [
        Row(
            name=name,
            queries=int(mask.sum()),
            new=float(new[mask].mean()),
            old=float(old[mask].mean()),
            gap=paired_difference(
                new[mask], old[mask], params.bootstrap, generator(seed, "promote", name)
            ),
        )
        for name, mask in masks.items()
        if mask.any()
    ]


def latency_ms(retrievers: Sequence[Retriever], texts: list[str], k: int) -> list[float]:
    """Return the 95th percentile of the CPU time of one search, in ms, of each retriever.

    CPU time of one thread, because other work on the machine must not decide about a release:
    threads that wait for each other spin, the longer the busier the machine is, and that is CPU
    time too. The searches take turns, so that caches and clock rates favour none.
    """
    if not texts:
        return [0.0] * len(retrievers)
    times: list[list[float]] = [[] for _ in retrievers]
    with _one_thread():
        for number in range(_WARM_UP + _TIMED):
            text = texts[number % len(texts)]
            for retriever, taken in zip(retrievers, times, strict=True):
                start = time.thread_time()
                retriever.search(text, k)
                if number >= _WARM_UP:
                    taken.append(1000 * (time.thread_time() - start))
    return [float(np.percentile(taken, 95)) for taken in times]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Make torch and Faiss work in the calling thread."""
    before = torch.get_num_threads(), faiss.omp_get_max_threads()
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        faiss.omp_set_num_threads(before[1])
