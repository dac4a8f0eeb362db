"""The rules of a promotion: each holds and fails where it says."""

import pytest

from smar.judging.compare import Difference
from smar.params import PromoteParams
from smar.release.anchor import Anchor
from smar.release.comparison import Row, Table
from smar.release.rules import Figures, Rule, _holm, judge_figures, judge_ranking

PARAMS = PromoteParams(
    guard=["recall@50", "ndcg@10"],
    margin=0.02,
    max_loss=0.01,
    anchor="best",
    slice_margin=0.05,
    level=0.05,
    protected=["visual", "tail"],
    min_queries=20,
    min_index_recall=0.95,
    max_latency_ms=100.0,
    max_latency_ratio=2.0,
    examples=3,
)


def row(
    name: str = "all",
    mean: float = 0.0,
    low: float = -0.01,
    p_value: float = 1.0,
    queries: int = 100,
) -> Row:
    gap = Difference(mean=mean, low=low, high=mean + (mean - low), p_value=p_value)
    return Row(name, queries, 0.5 + mean, 0.5, gap)


def failed(rules: list[Rule]) -> list[str]:
    return [rule.name for rule in rules if not rule.passed]


def judge(rows: list[Row], metric: str = "recall@50") -> list[Rule]:
    return judge_ranking([Table("v1", "test", metric, rows)], "v1", {}, PARAMS)


@pytest.mark.parametrize(("low", "expected"), [(-0.019, []), (-0.021, ["overall recall@50"])])
def test_overall_must_be_shown_to_be_within_the_margin(low: float, expected: list[str]):
    assert failed(judge([row(low=low)])) == expected


@pytest.mark.parametrize(
    ("mean", "p_value", "expected"),
    [
        (-0.011, 0.001, ["loss recall@50"]),
        (-0.011, 0.2, []),  # may be chance
        (-0.009, 0.001, []),  # real, but small
    ],
)
def test_overall_fails_where_it_is_worse_for_sure(mean: float, p_value: float, expected: list[str]):
    assert failed(judge([row(mean=mean, low=-0.02, p_value=p_value)])) == expected


@pytest.mark.parametrize(
    ("mean", "p_value", "expected"),
    [
        (-0.2, 0.001, ["slice visual recall@50"]),
        (-0.2, 0.4, []),  # may be chance
        (-0.04, 0.001, []),  # real, but small
        (0.2, 0.001, []),  # real, but good
    ],
)
def test_protected_slice_fails_where_it_is_worse_for_sure(
    mean: float, p_value: float, expected: list[str]
):
    assert failed(judge([row(), row("visual", mean, mean - 0.02, p_value)])) == expected


def test_unprotected_and_small_slices_are_not_judged():
    rows = [row(), row("head", -0.3, -0.4, 0.0001), row("tail", -0.3, -0.4, 0.0001, queries=19)]
    assert failed(judge(rows)) == []


def test_every_guarded_metric_and_query_set_is_judged_and_corrected_together():
    bad = row(mean=-0.2, low=-0.3, p_value=0.02)
    tables = [
        Table("v1", "test", "recall@50", [row()]),
        Table("v1", "test", "ndcg@10", [row(low=-0.5)]),
        Table("v1", "validation", "recall@50", [bad]),
    ]
    # 0.02 alone would be below 0.05; among three it is not.
    assert failed(judge_ranking(tables, "v1", {}, PARAMS)) == ["overall ndcg@10"]
    assert failed(judge_ranking(tables[::2], "v1", {}, PARAMS)) == ["loss recall@50"]


def test_losses_are_added_up_where_the_best_release_cannot_be_compared():
    anchors = {("recall@50", "all"): Anchor("v1", -0.008)}
    tables = [Table("v3", "test", "recall@50", [row(mean=-0.003)])]
    (reason,) = [r.text for r in judge_ranking(tables, "v3", anchors, PARAMS) if not r.passed]
    assert "lost 0.8 points since v1, the best so far, and would lose 0.3 more" in reason
    compared = [*tables, Table("v1", "test", "recall@50", [row(mean=-0.002)])]
    assert failed(judge_ranking(compared, "v3", anchors, PARAMS)) == []
    better = [Table("v3", "test", "recall@50", [row(mean=0.001)])]
    assert failed(judge_ranking(better, "v3", anchors, PARAMS)) == []


@pytest.mark.parametrize("rows", [[], [row(queries=19)]])
def test_too_few_queries_cannot_promote(rows: list[Row]):
    (rule,) = judge(rows)
    assert not rule.passed
    assert "at least 20 are needed" in rule.text


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        (Figures(0.95, 100.0, 60.0), []),
        (Figures(0.94, 1.0), ["index recall"]),
        (Figures(1.0, 101.0), ["latency"]),
        (Figures(1.0, 50.0, 20.0), ["latency ratio"]),
        (Figures(1.0, 1.9, 0.1), []),  # far below a millisecond nobody waits
    ],
)
def test_index_and_latency_have_limits(figures: Figures, expected: list[str]):
    assert failed(judge_figures(figures, PARAMS)) == expected


def test_holm_follows_the_published_steps():
    # 0.01 < 0.05/4, 0.015 < 0.05/3, 0.03 > 0.05/2: the first two are rejected.
    assert _holm([0.03, 0.01, 0.04, 0.015], 0.05) == [False, True, False, True]
    assert _holm([], 0.05) == []
