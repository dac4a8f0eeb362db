"""Metrics against closed forms and an independent implementation."""

import ir_measures
import numpy as np
import pandas as pd
import pytest

from smar.errors import DataError, ParamsError, ShapeError
from smar.judging.metrics import METRICS, check_metric, score_run
from smar.judging.runs import QuerySet, Run, build_query_set

CUTOFFS = (1, 5, 10, 50)


def query_set(labels: dict[str, dict[str, int]], items: list[str], relevant: int = 2) -> QuerySet:
    queries = pd.DataFrame({"query_id": list(labels), "query": list(labels), "num_searches": 0})
    rows = [(q, item, grade) for q, of_query in labels.items() for item, grade in of_query.items()]
    table = pd.DataFrame(rows, columns=["query_id", "item_id", "grade"])
    return build_query_set("test", queries, table, items, relevant)


def run_of(rows: list[list[int]]) -> Run:
    ranked = np.array(rows)
    scores = np.linspace(1, 0, ranked.shape[1], dtype=np.float32)
    return Run("x", ranked, np.broadcast_to(scores, ranked.shape))


def test_metrics_of_a_hand_made_ranking():
    queries = query_set({"q": {"a": 2, "b": 1, "c": 2}}, list("abcdef"))
    values = score_run(run_of([[3, 0, 1, 4, 5]]), queries, [2, 5])
    assert values["recall@2"] == [0.5]
    assert values["capped_recall@2"] == [0.5]
    assert values["precision@5"] == [0.2]
    assert values["f1@5"] == pytest.approx([2 * 0.2 * 0.5 / 0.7])
    assert values["mrr@5"] == [0.5]
    ideal = 2 + 2 / np.log2(3) + 1 / np.log2(4)
    assert values["ndcg@5"] == pytest.approx([(2 / np.log2(3) + 1 / np.log2(4)) / ideal])


def test_capped_recall_reaches_one_where_recall_cannot():
    queries = query_set({"q": {"a": 2, "b": 2, "c": 2}}, list("abc"))
    values = score_run(run_of([[0]]), queries, [1])
    assert values["capped_recall@1"] == [1.0]
    assert values["recall@1"] == pytest.approx([1 / 3])


def test_query_without_results_counts_zero():
    queries = query_set({"q": {"a": 2}, "r": {"b": 2}}, list("ab"))
    values = score_run(run_of([[0, 1], [-1, -1]]), queries, [2])
    for name in METRICS:
        assert values[f"{name}@2"][1] == 0
    assert values["recall@2"].mean() == 0.5


def test_queries_without_a_relevant_item_are_left_out():
    queries = query_set({"q": {"a": 2}, "r": {"b": 1}}, list("ab"))
    assert queries.query_ids == ["q"]


@pytest.mark.parametrize("seed", range(3))
def test_metrics_equal_an_independent_implementation(seed: int):
    rng = np.random.default_rng(seed)
    items = [f"i{n:03d}" for n in range(120)]
    labels = {}
    for n in range(20):
        chosen = rng.choice(120, int(rng.integers(1, 70)), replace=False)
        labels[f"q{n:02d}"] = {items[i]: int(rng.integers(0, 4)) for i in chosen} | {
            items[chosen[0]]: 3
        }
    queries = query_set(labels, items)
    run = run_of([rng.permutation(120)[:60].tolist() for _ in queries.query_ids])
    ours = score_run(run, queries, CUTOFFS)
    qrels = [ir_measures.Qrel(q, i, g) for q, of in labels.items() for i, g in of.items()]
    ranked = [
        ir_measures.ScoredDoc(q, items[row], float(-rank))
        for q, rows in zip(queries.query_ids, run.rows, strict=True)
        for rank, row in enumerate(rows)
    ]
    for k in CUTOFFS:
        measures = {
            f"recall@{k}": ir_measures.R(rel=2) @ k,
            f"precision@{k}": ir_measures.P(rel=2) @ k,
            f"ndcg@{k}": ir_measures.nDCG @ k,
            f"mrr@{k}": ir_measures.RR(rel=2) @ k,
        }
        theirs = {name: dict.fromkeys(queries.query_ids, 0.0) for name in measures}
        for value in ir_measures.iter_calc(list(measures.values()), qrels, ranked):
            name = next(n for n, measure in measures.items() if measure == value.measure)
            theirs[name][value.query_id] = value.value
        for name, by_query in theirs.items():
            assert ours[name] == pytest.approx([by_query[q] for q in queries.query_ids]), name
        recall, precision = ours[f"recall@{k}"], ours[f"precision@{k}"]
        both = np.where(recall + precision > 0, recall + precision, 1)
        assert ours[f"f1@{k}"] == pytest.approx(2 * recall * precision / both)


def test_metrics_stay_in_range_and_recall_never_falls_with_k():
    rng = np.random.default_rng(0)
    items = [str(n) for n in range(40)]
    labels = {str(q): {items[i]: 2 for i in rng.choice(40, 5, replace=False)} for q in range(10)}
    queries = query_set(labels, items)
    run = run_of([rng.permutation(40).tolist() for _ in queries.query_ids])
    values = score_run(run, queries, range(1, 41))
    for column in values.values():
        assert ((column >= 0) & (column <= 1 + 1e-12)).all()
    recalls = np.stack([values[f"recall@{k}"] for k in range(1, 41)])
    assert (np.diff(recalls, axis=0) >= 0).all()


def test_labels_of_unknown_items_are_refused():
    with pytest.raises(DataError, match="item 'z' and 0 more"):
        query_set({"q": {"z": 2}}, ["a"])


def test_run_of_another_size_is_refused():
    queries = query_set({"q": {"a": 2}}, ["a"])
    with pytest.raises(ShapeError, match="2 queries, expected 1"):
        score_run(run_of([[0], [0]]), queries, [1])


def test_unknown_metric_is_refused_with_a_near_match():
    with pytest.raises(ParamsError, match="Did you mean 'recall@50'"):
        check_metric("recal@50", CUTOFFS)


def test_a_set_without_queries_has_no_values():
    none = query_set({"q": {"a": 0}}, list("ab"))
    assert len(none) == 0
    values = score_run(run_of([[0, 1]]), query_set({"q": {"a": 2}}, list("ab")), [1])
    empty = Run("x", np.empty((0, 2), np.int64), np.empty((0, 2), np.float32))
    assert {name: len(v) for name, v in score_run(empty, none, [1]).items()} == dict.fromkeys(
        values, 0
    )
