"""Learning rate and optimiser groups."""

from itertools import pairwise

import pytest
import torch

from smar.train.optim import build_optimizer, learning_rate


def test_learning_rate_rises_to_its_peak_and_falls():
    rates = [learning_rate(step, 100, 1.0, 0.1) for step in range(100)]
    assert rates[9] == pytest.approx(1.0)
    assert rates[0] == pytest.approx(0.1)
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert 0.02 <= rates[-1] < 0.03


def test_optimizer_decays_matrices_only():
    optimizer = build_optimizer(torch.nn.Linear(3, 2), 0.1)
    decayed, plain = optimizer.param_groups
    assert [p.dim() for p in decayed["params"]] == [2]
    assert [p.dim() for p in plain["params"]] == [1]
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)
