"""Drift is found where it was planted, and not where nothing moved."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from smar.cli import STAGES, main
from smar.monitoring.calibration import DRIFTS, Plant, compare_halves
from smar.monitoring.snapshot import read_shop
from smar.monitoring.verdict import KEEP, DriftVerdict
from smar.params import load_params
from smar.paths import Paths
from smar.service.retriever import Retriever

RESAMPLES = 20
# What each drift asks for; more may be due where one thing brings another with it.
ACTIONS = {
    "new category": "retrain",
    "season change": "retrain",
    "price shift": "refresh",
    "picture style change": "retrain",
    "query language shift": "retrain",
}
Compare = Callable[[int, Plant | None], DriftVerdict]


@pytest.fixture(scope="module")
def compare(
    tmp_path_factory: pytest.TempPathFactory,
    small_parameters: Path,
    change_params: Callable[[Path, dict[str, Any]], None],
) -> Compare:
    """Return the comparison of two halves of a demo shop, something planted into the second."""
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
    return partial(compare_halves, shop, retriever, params)


@pytest.mark.slow
def test_at_most_one_of_twenty_undrifted_resamples_is_an_alarm(compare: Compare):
    verdicts = [compare(number, None) for number in range(RESAMPLES)]
    alarms = [verdict.reasons for verdict in verdicts if verdict.verdict != KEEP]
    assert len(alarms) <= 1, alarms


@pytest.mark.slow
@pytest.mark.parametrize("name", DRIFTS)
def test_planted_drift_is_found_by_the_signal_that_names_it(compare: Compare, name: str):
    plant, signals = DRIFTS[name]
    verdict = compare(1000, plant)
    assert {one.signal.name for one in verdict.judged if one.alarm} & signals
    assert verdict.verdict == ACTIONS[name]
