"""Retrieval metrics, one value per query.

Every metric takes the grades of the ranked items and the judgements, and is written `name@k`. The
mean is over all queries of the set: a query without results counts 0. Formulas as in trec_eval.

Shapes: Q queries, K results.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smar.errors import ParamsError, near_match
from smar.judging.runs import QuerySet, Run, grades_of


@dataclass(frozen=True)
class Judged:
    """What a metric needs to know.

    Args:
        grades: Grades of the ranked items, best rank first, [Q, K].
        hits: 1.0 where a ranked item is relevant, [Q, K].
        num_relevant: Relevant items of each query, at least 1, [Q].
        ideal: Judged grades, falling, zero-padded to the largest cutoff, [Q, cutoff].
    """

    grades: NDArray[np.float64]
    hits: NDArray[np.float64]
    num_relevant: NDArray[np.float64]
    ideal: NDArray[np.float64]


Metric = Callable[[Judged, int], NDArray[np.float64]]


def recall(judged: Judged, k: int) -> NDArray[np.float64]:
    """Return the share of the relevant items among the first k: `hits / relevant`."""
    return judged.hits[:, :k].sum(1) / judged.num_relevant


def capped_recall(judged: Judged, k: int) -> NDArray[np.float64]:
    """Return `hits / min(k, relevant)`: 1 is reachable however many items are relevant."""
    return judged.hits[:, :k].sum(1) / np.minimum(k, judged.num_relevant)


def precision(judged: Judged, k: int) -> NDArray[np.float64]:
    """Return the share of relevant items among the first k: `hits / k`."""
    return judged.hits[:, :k].sum(1) / k


def f1(judged: Judged, k: int) -> NDArray[np.float64]:
    """Return the harmonic mean of precision and recall at k of each query, 0 where both are."""
    both = precision(judged, k) + recall(judged, k)
    product = 2 * precision(judged, k) * recall(judged, k)
    return np.divide(product, both, out=np.zeros_like(both), where=both > 0)


def ndcg(judged: Judged, k: int) -> NDArray[np.float64]:
    """Return `sum_i grade_i / log2(i + 1)` over the first k, divided by its best value.

    The gain is the grade itself, as in trec_eval's ndcg_cut (Jarvelin and Kekalainen, 2002).
    """
    discount = 1 / np.log2(np.arange(2, k + 2))
    gained = judged.grades[:, :k] @ discount[: judged.grades[:, :k].shape[1]]
    return gained / (judged.ideal[:, :k] @ discount)


def mrr(judged: Judged, k: int) -> NDArray[np.float64]:
    """Return 1 / rank of the first relevant item among the first k, else 0."""
    hits = judged.hits[:, :k] > 0
    return np.where(hits.any(1), 1 / (hits.argmax(1) + 1), 0.0)


METRICS: dict[str, Metric] = {
    "recall": recall,
    "capped_recall": capped_recall,
    "precision": precision,
    "f1": f1,
    "ndcg": ndcg,
    "mrr": mrr,
}


def score_run(
    run: Run, queries: QuerySet, cutoffs: Sequence[int]
) -> dict[str, NDArray[np.float64]]:
    """Return every metric at every cutoff, `{"ndcg@10": values [Q], ...}`."""
    judged = judge(run, queries, max(cutoffs))
    return {f"{name}@{k}": metric(judged, k) for name, metric in METRICS.items() for k in cutoffs}


def judge(run: Run, queries: QuerySet, largest: int) -> Judged:
    """Return what the metrics need of a run, for cutoffs up to `largest`."""
    grades = grades_of(run, queries)
    ideal = np.zeros((len(queries), largest))
    for row in range(len(queries)):
        of_query = queries.qrels.data[queries.qrels.indptr[row] : queries.qrels.indptr[row + 1]]
        best = np.sort(of_query)[::-1][:largest]
        ideal[row, : len(best)] = best
    return Judged(
        grades=grades,
        hits=(grades >= queries.relevant_grade).astype(np.float64),
        num_relevant=np.asarray(queries.relevant.sum(1)).ravel(),
        ideal=ideal,
    )


def check_metric(name: str, cutoffs: Sequence[int], key: str = "evaluate.primary") -> None:
    """Refuse a metric that is not computed; `key` is the parameter that asks for it.

    Raises:
        ParamsError: Names the metrics there are.
    """
    names = [f"{metric}@{k}" for metric in METRICS for k in cutoffs]
    if name not in names:
        raise ParamsError(
            f"{key}: unknown '{name}'; expected one of {', '.join(names)}.{near_match(name, names)}"
        )
