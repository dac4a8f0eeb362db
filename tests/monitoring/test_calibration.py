"""Drift is found where it was planted, and not where nothing moved."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smar.cli import STAGES, main
from smar.monitoring.calibration import (
    DRIFTS,
    Plant,
    compare_dates,
    compare_halves,
    false_alarm_bound,
    split_dates,
)
from smar.monitoring.snapshot import read_shop
from smar.monitoring.verdict import KEEP, DriftVerdict
from smar.params import load_params
from smar.paths import Paths
from smar.service.retriever import Retriever

RESAMPLES = 60  # 0 of 60 bounds the rate of false alarms at 5 %
# What each drift asks for; more may be due where one thing brings another with it.
ACTIONS = {
    "new category": "retrain",
    "season change": "retrain",
    "price shift": "refresh",
    "picture style change": "retrain",
    "query language shift": "retrain",
}
Compare = Callable[[int, Plant | None], DriftVerdict]


def test_bound_of_the_rate_is_that_of_clopper_and_pearson():
    assert false_alarm_bound(0, 20) == pytest.approx(1 - 0.05 ** (1 / 20))
    assert false_alarm_bound(0, 60) < 0.05
    assert false_alarm_bound(1, 20) == pytest.approx(0.2161, abs=1e-4)
    assert false_alarm_bound(3, 3) == 1


def test_shop_at_two_dates_has_the_same_items_and_searches_of_its_own(small_project: Path):
    shop = read_shop(Paths(small_project))
    then, now = split_dates(shop, 7, np.random.default_rng(0))
    assert then.items.equals(now.items)
    assert not set(then.searches["search_id"]) & set(now.searches["search_id"])
    assert len(then.searches) + len(now.searches) == len(shop.searches)
    assert len(now.newest(7).searches) == len(now.searches)
    assert set(now.engagements["search_id"]) <= set(now.searches["search_id"])


@pytest.fixture(scope="module")
def compare(
    tmp_path_factory: pytest.TempPathFactory,
    small_parameters: Path,
    change_params: Callable[[Path, dict[str, Any]], None],
) -> dict[str, Compare]:
    """Return comparisons of a demo shop with itself, something planted into the second."""
    root = tmp_path_factory.mktemp("shop")
    (root / "params.yaml").write_text(small_parameters.read_text())
    change_params(
        root,
        {
            "ingest.demo": {"num_items": 1500, "num_searches": 8000},
            "pretrain.steps": 40,
            "finetune.steps": 40,
        },
    )
    for stage in STAGES:
        assert main([stage, "-q", "--root", str(root)]) == 0
    params = load_params(root / "params.yaml")
    shop, retriever = read_shop(Paths(root)), Retriever.load(root)
    return {
        "dates": partial(compare_dates, shop, retriever, params),
        "halves": partial(compare_halves, shop, retriever, params),
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dates", "halves"])
def test_undrifted_resamples_raise_hardly_an_alarm(compare: dict[str, Compare], kind: str):
    verdicts = [compare[kind](number, None) for number in range(RESAMPLES)]
    alarms = [verdict.reasons for verdict in verdicts if verdict.verdict != KEEP]
    assert len(alarms) <= 1, alarms


@pytest.mark.slow
@pytest.mark.parametrize("name", DRIFTS)
@pytest.mark.parametrize("kind", ["dates", "halves"])
def test_planted_drift_is_found_by_the_signal_that_names_it(
    compare: dict[str, Compare], name: str, kind: str
):
    plant, signals = DRIFTS[name]
    verdict = compare[kind](1000, plant)
    assert {one.signal.name for one in verdict.judged if one.alarm} & signals
    assert verdict.verdict == ACTIONS[name]
