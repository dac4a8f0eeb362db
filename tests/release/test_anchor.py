"""Small steps downwards, planted query by query: they do not add up to a large one."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from smar.params import EvaluateParams, Params, PromoteParams
from smar.release.anchor import Anchor, as_details, next_anchors, read_anchors
from smar.release.comparison import OVERALL, Table, slice_rows
from smar.release.rules import gaps_against, judge_ranking

KEY = ("recall@50", OVERALL)
Values = NDArray[np.float64]
Step = Callable[[Values, np.random.Generator], Values]


class Chain:
    """Releases of planted per-query values, judged one after the other as `promote` does."""

    def __init__(self, start: Values, params: Params, *, keep: bool = True) -> None:
        self.evaluate: EvaluateParams = params.evaluate
        self.promote: PromoteParams = params.promote.model_copy(update={"guard": [KEY[0]]})
        self.values = {"v1": start}
        self.current, self.details, self.keep = "v1", {}, keep

    def table(self, new: Values, against: str) -> Table:
        rows = slice_rows(new, self.values[against], {}, self.evaluate, seed=1)
        return Table(against, "test", KEY[0], rows)

    def offer(self, new: Values) -> bool:
        """Return whether a candidate is released."""
        anchors = read_anchors(self.details, self.current, [KEY])
        tables = [self.table(new, self.current)]
        best = anchors[KEY].version
        if best != self.current and self.keep:
            tables.append(self.table(new, best))
        least = self.promote.min_queries
        rules = judge_ranking(tables, self.current, anchors, self.promote)
        if not all(rule.passed for rule in rules):
            return False
        moved = next_anchors(
            anchors, gaps_against(tables, self.current, least), gaps_against(tables, best, least)
        )
        version = f"v{len(self.values) + 1}"
        self.values[version], self.current = new, version
        self.details = {"anchors": as_details(moved)}
        return True


def fall(points: float) -> Step:
    """Return what takes so many points from the mean, from a share of the queries."""

    def step(values: Values, rng: np.random.Generator) -> Values:
        return np.clip(values - (rng.random(len(values)) < 0.2) * points / 20, 0, 1)

    return step


@pytest.fixture
def start() -> Values:
    return np.random.default_rng(3).uniform(0.5, 1, 320)


@pytest.mark.parametrize("keep", [True, False], ids=["compared", "added up"])
def test_six_candidates_each_two_points_worse_are_not_promoted(
    start: Values, shipped: Params, keep: bool
):
    chain, rng = Chain(start, shipped, keep=keep), np.random.default_rng(0)
    outcomes = [
        chain.offer(fall(points)(chain.values[chain.current], rng))
        for points in (1.7, 1.8, 1.9, 2.0, 2.1, 1.7)
    ]
    assert outcomes == [False] * 6
    assert chain.current == "v1"


@pytest.mark.parametrize("keep", [True, False], ids=["compared", "added up"])
def test_steps_too_small_to_refuse_one_by_one_are_refused_together(
    start: Values, shipped: Params, keep: bool
):
    chain, rng = Chain(start, shipped, keep=keep), np.random.default_rng(0)
    outcomes = [chain.offer(fall(0.4)(chain.values[chain.current], rng)) for _ in range(12)]
    assert outcomes[0]
    assert not all(outcomes)
    lost = (chain.values[chain.current] - start).mean()
    assert lost > -2 * shipped.promote.max_loss
    by_current_alone = Chain(start, shipped)
    by_current_alone.promote = by_current_alone.promote.model_copy(update={"anchor": "current"})
    rng = np.random.default_rng(0)
    for _ in range(12):
        by_current_alone.details = {}
        assert by_current_alone.offer(
            fall(0.4)(by_current_alone.values[by_current_alone.current], rng)
        )


def test_better_release_becomes_the_anchor_and_equal_ones_may_follow(
    start: Values, shipped: Params
):
    chain = Chain(start, shipped)
    better = np.clip(start + 0.02, 0, 1)
    assert chain.offer(better)
    assert read_anchors(chain.details, "v2", [KEY]) == {KEY: Anchor("v2", 0.0)}
    assert not chain.offer(start)  # the first release again is a loss now
    assert chain.offer(better.copy())


def test_figure_that_cannot_be_measured_keeps_its_anchor():
    anchors = {KEY: Anchor("v1", -0.01), ("recall@50", "tail"): Anchor("v2", 0.0)}
    moved = next_anchors(anchors, {KEY: -0.002}, {})
    assert moved == {KEY: Anchor("v1", -0.012), ("recall@50", "tail"): Anchor("v2", 0.0)}
    assert read_anchors({"anchors": as_details(moved)}, "v3", list(anchors)) == moved
