"""Reliability of the gate against closed forms."""

import numpy as np
import pytest

from smar.evaluation.reliability import gate_reliability, reliability_of
from smar.pages import plots


def test_error_of_a_hand_made_gate():
    gate = np.array([0.15, 0.15, 0.85, 0.85, 1.0], np.float32)
    happened = np.array([False, True, True, True, False])
    result = reliability_of("it rains", gate, happened)
    # Bins: [.1, .2) says .15, half of 2; [.8, .9) says .85, all of 2; [.9, 1] says 1, none of 1.
    assert result.bins["predicted"].tolist() == pytest.approx([0.15, 0.85, 1.0])
    assert result.bins["observed"].tolist() == [0.5, 1.0, 0.0]
    assert result.bins["queries"].tolist() == [2, 2, 1]
    assert result.error == pytest.approx((2 * 0.35 + 2 * 0.15 + 1 * 1.0) / 5)
    assert result.brier == pytest.approx((0.15**2 + 0.85**2 + 2 * 0.15**2 + 1) / 5)


def test_gate_that_says_the_truth_has_no_error():
    rng = np.random.default_rng(0)
    gate = rng.random(40_000).astype(np.float32)
    assert reliability_of("x", gate, rng.random(40_000) < gate).error < 0.01
    assert reliability_of("x", gate, rng.random(40_000) < 0.5).error > 0.2


def test_what_chance_makes_of_an_error_is_that_of_single_queries_and_falls_with_their_number():
    few = reliability_of("x", np.array([0.05, 0.5, 0.95], np.float32), np.array([True, True, True]))
    # One query a bin: the mean of |p - y| is 2 p (1 - p).
    assert few.by_chance == pytest.approx((2 * 0.0475 + 0.5 + 2 * 0.0475) / 3, abs=0.02)
    rng = np.random.default_rng(0)
    gate = rng.random(400).astype(np.float32)
    found = [reliability_of("x", gate, rng.random(400) < gate) for _ in range(50)]
    assert found[0].by_chance == pytest.approx(np.mean([one.error for one in found]), rel=0.1)
    many = reliability_of("x", np.tile(gate, 100), np.zeros(40_000, bool))
    assert many.by_chance == pytest.approx(found[0].by_chance / 10, rel=0.2)
    sure = reliability_of("x", np.array([0, 1, 1], np.float32), np.array([True, False, True]))
    assert sure.by_chance == 0
    assert sure.error == pytest.approx(2 / 3)


def test_ties_say_nothing_about_whether_the_picture_helps():
    gate = np.array([0.9, 0.1, 0.5, 0.5], np.float32)
    found = gate_reliability(
        gate,
        visual=np.array([True, False, True, False]),
        multimodal=np.array([1.0, 0.0, 0.3, 0.3]),
        text=np.array([0.5, 0.5, 0.3, 0.3]),
    )
    assert found["picture_helps"].queries == 2
    assert found["picture_helps"].error == pytest.approx(0.1, abs=1e-6)
    assert found["visual"].queries == 4


def test_outcome_that_never_or_always_happens_is_left_out():
    gate = np.array([0.9, 0.1], np.float32)
    values = np.array([0.5, 0.5])
    assert gate_reliability(gate, np.array([True, True]), values, values) == {}


def test_reliability_plot_has_a_dot_for_every_bin():
    plot = str(plots.reliability([(0.1, 0.0, 4), (0.9, 0.5, 1)]))
    assert plot.count("<circle") == 2
    assert 'cx="60.0" cy="210.0" r="12.0"' in plot  # a tenth across, at the bottom, the largest
