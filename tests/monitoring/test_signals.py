"""Signals: closed forms, certainty, and what makes an alarm."""

import math

import numpy as np
import pandas as pd
import pytest

from smar.monitoring.frames import unknown_share
from smar.monitoring.signals import Signal, stale_signal
from smar.monitoring.statistics import category_test, domain_auc, number_test, welch
from smar.monitoring.verdict import judge
from smar.params import DriftParams

PARAMS = DriftParams(
    window_days=7.0,
    level=0.01,
    min_rows=30,
    max_distance=0.15,
    max_share_rise=0.05,
    max_new_category=0.02,
    max_not_indexed=0.1,
    max_click_change=0.25,
    max_quality_fall=0.05,
    max_auc=0.6,
)


def signal(
    name: str = "items.price",
    value: float = 0.2,
    p_value: float = 1e-6,
    action: str = "refresh",
    rows: int = 100,
) -> Signal:
    return Signal(name, "what", action, "how", value, p_value, "a", "b", rows)


def test_large_and_real_change_is_an_alarm_with_its_reason():
    verdict = judge([signal(), signal("items.title_words", 0.0)], PARAMS)
    assert verdict.verdict == "refresh"
    assert verdict.reasons == ["refresh: what: a -> b (how 0.200, threshold 0.15, p = 1e-06)"]


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"value": 0.14}, ""),
        ({"p_value": 0.02}, "may be chance"),
        ({"rows": 29}, "only 29 rows"),
    ],
)
def test_small_uncertain_and_thin_changes_are_none(changed: dict[str, float], note: str):
    verdict = judge([signal(**changed)], PARAMS)  # type: ignore[arg-type]
    assert verdict.verdict == "keep"
    assert verdict.judged[0].note == note


def test_level_is_shared_by_all_signals():
    signals = [signal(p_value=0.004), *[signal("queries.gate", 0.0) for _ in range(4)]]
    assert judge(signals[:1], PARAMS).verdict == "refresh"
    assert judge(signals, PARAMS).verdict == "keep"


def test_retraining_outweighs_refreshing():
    assert judge([signal(), signal("queries.gate", action="retrain")], PARAMS).verdict == "retrain"


def test_items_the_index_lacks_are_a_fact_without_a_test():
    one = stale_signal(["a", "b", "c", "d"], ["a", "b", "c"])
    assert one.value == 0.25
    assert math.isnan(one.p_value)
    assert judge([stale_signal([str(n) for n in range(40)], [])], PARAMS).verdict == "refresh"


def test_metrics_hold_no_nan():
    metrics = judge([stale_signal(["a"], ["a"])], PARAMS).as_metrics()
    assert metrics["signals"]["items.not_indexed"]["p_value"] is None


def test_domain_classifier_cannot_tell_equal_samples_and_tells_moved_ones():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 300, 8)).astype(np.float32)
    alone = rng.permutation(600)
    assert abs(domain_auc(one, other, alone)[0] - 0.5) < 0.08
    auc, newness = domain_auc(one, other + 1, alone)
    assert auc > 0.95
    assert newness.mean() > 0.8


def test_domain_classifier_takes_repeated_rows_for_no_evidence():
    """The same 20 rows in both samples, drawn anew each time: on the whole, nothing to tell."""
    rng = np.random.default_rng(1)
    base = rng.normal(size=(20, 8)).astype(np.float32)
    picks = rng.integers(0, 20, (15, 2, 200))
    aucs = [domain_auc(base[a], base[b], np.concatenate([a, b]))[0] for a, b in picks]
    assert abs(np.mean(aucs) - 0.5) < 0.04


def test_tests_give_known_p_values():
    same = pd.Series(["a", "b"] * 50)
    assert category_test(same, same) == pytest.approx(1.0)
    assert category_test(same, pd.Series(["a"] * 100)) < 1e-10
    assert category_test(pd.Series(["a"]), pd.Series(["a"])) == 1.0
    numbers = pd.Series(np.arange(100.0))
    assert number_test(numbers, numbers) == 1.0
    assert number_test(numbers, numbers + 60) < 1e-10
    ones, zeros = np.ones(10), np.zeros(10)
    assert welch(ones, zeros) == 0.0
    assert welch(zeros, ones) == 1.0
    assert welch(np.array([0.0, 1.0]), np.array([0.0, 1.0])) == pytest.approx(0.5)


def test_unknown_share_counts_words():
    assert unknown_share("Red BOOT xyz", lambda word: word in {"red", "boot"}) == pytest.approx(
        1 / 3
    )
    assert unknown_share("", lambda word: False) == 0.0


def test_domain_classifier_never_tests_on_an_owner_that_it_was_fitted_on():
    """Each of 40 owners has its own corner and lies in both samples: unseen, it tells nothing."""
    rng = np.random.default_rng(2)
    corners = np.eye(40, dtype=np.float32) * 5
    label = rng.permutation(np.repeat([0, 1], 20))  # each owner is nearly always on one side
    owners = np.repeat(np.arange(40), 10)
    side = np.where(rng.random(400) < 0.95, label[owners], 1 - label[owners])
    rows = corners[owners] + rng.normal(0, 0.1, (400, 40)).astype(np.float32)
    before, now = rows[side == 0], rows[side == 1]
    groups = np.concatenate([owners[side == 0], owners[side == 1]])
    assert domain_auc(before, now, groups)[0] < 0.6
    assert domain_auc(before, now, np.arange(400))[0] > 0.9
