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


def test_what_came_with_a_pretrained_model_has_its_own_rate():
    old, new = torch.nn.Linear(3, 2), torch.nn.Linear(2, 1)
    model = torch.nn.Sequential(old, new)
    optimizer = build_optimizer(model, 0.1, list(old.parameters()), 0.02)
    rates = {
        id(parameter): (group["rate_scale"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert rates[id(old.weight)] == (0.02, 0.1)
    assert rates[id(old.bias)] == (0.02, 0.0)
    assert rates[id(new.weight)] == (1.0, 0.1)
    assert rates[id(new.bias)] == (1.0, 0.0)
