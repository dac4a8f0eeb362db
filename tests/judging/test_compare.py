"""Intervals and paired tests."""

import numpy as np
import pytest

from smar.judging.compare import mean_intervals, paired_difference


def test_interval_of_a_constant_is_the_constant():
    low, high = mean_intervals(np.full((30, 1), 0.3), 200, np.random.default_rng(0))
    assert (low[0], high[0]) == pytest.approx((0.3, 0.3))


def test_interval_matches_the_normal_one_for_many_queries():
    values = np.random.default_rng(1).normal(0.5, 0.2, (2000, 1))
    low, high = mean_intervals(values, 2000, np.random.default_rng(0))
    half = 1.96 * values.std() / np.sqrt(2000)
    assert low[0] == pytest.approx(values.mean() - half, abs=half / 5)
    assert high[0] == pytest.approx(values.mean() + half, abs=half / 5)


def test_equal_systems_do_not_differ():
    values = np.random.default_rng(0).random(50)
    gap = paired_difference(values, values, 200, np.random.default_rng(0))
    assert (gap.mean, gap.p_value) == (0.0, 1.0)


def test_clear_difference_is_found_and_signed():
    rng = np.random.default_rng(0)
    base = rng.random(100)
    gap = paired_difference(base + 0.1 + 0.02 * rng.random(100), base, 500, rng)
    assert gap.low > 0.09
    assert gap.p_value < 0.001


def test_p_values_are_uniform_when_nothing_differs():
    rng = np.random.default_rng(0)
    found = [paired_difference(rng.random(40), rng.random(40), 100, rng).p_value for _ in range(60)]
    assert 0.3 < np.mean(found) < 0.7


def test_interval_holds_95_of_100_resamples_and_not_90():
    values = np.random.default_rng(1).normal(0.5, 0.2, (2000, 1))
    low, high = mean_intervals(values, 4000, np.random.default_rng(0))
    width = (high[0] - low[0]) / (2 * values.std() / np.sqrt(2000))
    assert width == pytest.approx(1.96, abs=0.09)  # 1.64 for 90 %
