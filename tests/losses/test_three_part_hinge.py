"""The three-part hinge against closed forms and a slow oracle."""

import math
from dataclasses import replace

import pytest
import torch

from smar.losses.scored import ScoredPairs
from smar.losses.three_part_hinge import Params, loss

BOUNDS = {"engaged": 0.9, "shown": 0.55, "random": 0.2}


def test_three_part_hinge_equals_double_loop(pairs: ScoredPairs):
    expected = []
    for q in range(6):
        target = int(pairs.target[q])
        total = max(0.0, 0.9 - float(pairs.scores[q, target])) ** 2
        for is_shown, bound in ((True, 0.55), (False, 0.2)):
            part = [
                float(pairs.scores[q, j])
                for j in range(5)
                if pairs.allowed[q, j] and j != target and bool(pairs.shown[q, j]) == is_shown
            ]
            weights = [math.exp(3.0 * score) for score in part]
            total += sum(
                w / sum(weights) * max(0.0, s - bound) ** 2
                for w, s in zip(weights, part, strict=True)
            )
        expected.append(total)
    values = loss(pairs, Params(**BOUNDS, sharpness=3.0))
    assert values.tolist() == pytest.approx(expected, rel=1e-4)


def test_three_part_hinge_is_zero_where_every_pair_keeps_its_bound():
    pairs = ScoredPairs(
        scores=torch.tensor([[0.95, 0.5, 0.1]]),
        target=torch.tensor([0]),
        allowed=torch.ones(1, 3, dtype=torch.bool),
        shown=torch.tensor([[False, True, False]]),
        grade=torch.ones(1),
    )
    assert loss(pairs, Params(**BOUNDS, sharpness=10.0)).item() == 0.0
    unseen = replace(pairs, shown=torch.zeros(1, 3, dtype=torch.bool))
    assert loss(unseen, Params(**BOUNDS, sharpness=10.0)).item() > 0


def test_self_adversarial_weights_have_no_gradient_and_favour_the_hardest():
    scores = torch.tensor([[0.95, 0.3, 0.6]], requires_grad=True)
    pairs = ScoredPairs(
        scores=scores,
        target=torch.tensor([0]),
        allowed=torch.ones(1, 3, dtype=torch.bool),
        shown=torch.zeros(1, 3, dtype=torch.bool),
        grade=torch.ones(1),
    )
    loss(pairs, Params(**BOUNDS, sharpness=10.0)).sum().backward()
    weights = torch.softmax(10 * torch.tensor([0.3, 0.6]), dim=0)
    assert scores.grad is not None
    expected = [0.0, float(weights[0]) * 2 * 0.1, float(weights[1]) * 2 * 0.4]
    assert scores.grad[0].tolist() == pytest.approx(expected, rel=1e-4)
