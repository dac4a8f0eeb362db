"""Orders that are those of stable sorts."""

import numpy as np
import pytest

from smar.data.order import ordered


@pytest.mark.parametrize("size", [0, 1, 5, 400])
@pytest.mark.parametrize("levels", [3, 10**9])
def test_items_are_ordered_as_by_two_stable_sorts(size: int, levels: int):
    rng = np.random.default_rng(size)
    score = rng.integers(levels, size=size) / levels  # with many equal ones, and none
    of = rng.integers(7, size=size)
    np.testing.assert_array_equal(ordered(score, of), np.lexsort((score, of)))


def test_the_order_of_one_group_is_that_of_a_stable_sort():
    rng = np.random.default_rng(0)
    zeros, far = [0.0, -0.0, 1e-45, -1e-45, -0.0, 0.0], [np.inf, 1.0, -np.inf, 3e38, -3e38]
    for values in (rng.normal(size=500), rng.integers(0, 9, 500), zeros, far, np.empty(0)):
        some = np.asarray(values, np.float32)
        assert (ordered(some) == np.argsort(some, kind="stable")).all()
