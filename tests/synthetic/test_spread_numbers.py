"""Numbers among others are those that a plain look at each finds."""

import numpy as np
import pytest

from smar.synthetic.spread_numbers import SpreadNumbers

MOST = np.iinfo(np.uint64).max


@pytest.mark.parametrize("many", [0, 1, 2, 63, 5000])
@pytest.mark.parametrize("asked", [0, 1, 7, 3000])
def test_numbers_that_are_there_are_found_and_no_others(many: int, asked: int):
    rng = np.random.default_rng([many, asked])
    some = np.unique(rng.integers(0, MOST, many, dtype=np.uint64, endpoint=True))
    own = rng.choice(some, asked // 2) if many else np.empty(0, np.uint64)
    near = np.concatenate([own, own + np.uint64(1)])  # the same first bits
    ends = np.array([0, MOST], np.uint64)
    numbers = rng.permutation(np.concatenate([near, ends]))
    found = SpreadNumbers(some).those_there(numbers)
    np.testing.assert_array_equal(found, np.flatnonzero(np.isin(numbers, some)))


def test_the_least_and_the_greatest_number_are_found():
    ends = np.array([0, MOST], np.uint64)
    assert SpreadNumbers(ends).those_there(np.array([MOST, 5, 0], np.uint64)).tolist() == [0, 2]
