"""How much text, picture and words count, by slice."""

import numpy as np
import pytest

from smar.evaluation.weights import Weights


def test_shares_of_slices_are_means_and_empty_slices_are_left_out():
    weights = Weights(np.array([[0.2, 0.3, 0.5], [0.4, 0.1, 0.5]]), [])
    found = weights.by_slice({"one": np.array([True, False]), "none": np.zeros(2, bool)})
    assert [name for name, _ in found] == ["all", "one"]
    assert found[0][1] == pytest.approx([0.3, 0.2, 0.5])
    assert found[1][1] == pytest.approx([0.2, 0.3, 0.5])
