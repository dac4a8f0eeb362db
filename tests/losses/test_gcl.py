"""GCL's weights against the plain softmax loss."""

from dataclasses import replace

import pytest
import torch

from smar.losses.contrast import cross_entropy
from smar.losses.gcl import Params, loss
from smar.losses.scored import ScoredPairs


@pytest.fixture
def plain(pairs: ScoredPairs) -> torch.Tensor:
    return cross_entropy(pairs.scores, pairs.target, pairs.allowed, 0.1)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_pairs_weigh_by_their_grade_around_one(
    pairs: ScoredPairs, plain: torch.Tensor, power: float
):
    values = loss(pairs, Params(temperature=0.1, power=power))
    weight = pairs.grade**power
    assert torch.allclose(values, plain * weight / weight.mean(), rtol=1e-5)


def test_equal_grades_and_power_zero_are_the_plain_loss(pairs: ScoredPairs, plain: torch.Tensor):
    alike = replace(pairs, grade=torch.full((6,), 3.0))
    assert torch.allclose(loss(alike, Params(temperature=0.1, power=2.0)), plain)
    assert torch.allclose(loss(pairs, Params(temperature=0.1, power=0.0)), plain)
