"""JD's adaptive loss against closed forms and a slow oracle."""

import math
from dataclasses import replace

import pytest
import torch

from smar.losses.adaptive import Params, loss
from smar.losses.contrast import cross_entropy
from smar.losses.scored import ScoredPairs

SETTINGS = {"margin": 0.02, "temperature": 0.2, "symmetric": 0.05}


def term(score: float, own: float) -> float:
    closeness = 0.5 * (1 + score)
    gap = score + 0.02 * (1 - closeness) - own
    return math.exp(gap / (0.2 * (0.5 + closeness)))


def test_adaptive_equals_double_loop(pairs: ScoredPairs):
    # What stands against a query is never its own item.
    own = torch.nn.functional.one_hot(pairs.target, 5).bool()
    clean = replace(pairs, allowed=pairs.allowed & ~own)
    assert loss(clean, Params(**SETTINGS)).tolist() == pytest.approx(_oracle(clean), rel=1e-4)


def _oracle(pairs: ScoredPairs) -> list[float]:
    result = []
    for q in range(6):
        target = int(pairs.target[q])
        own = float(pairs.scores[q, target])
        items = [float(pairs.scores[q, j]) for j in range(5) if pairs.allowed[q, j]]
        queries = [float(pairs.scores[p, target]) for p in range(6) if pairs.allowed[p, target]]
        first = math.log(1 + sum(term(score, own) for score in items))
        second = math.log(1 + sum(term(score, own) for score in queries))
        result.append(first + 0.05 * second)
    return result


def test_adaptive_is_the_softmax_loss_at_score_zero_without_a_margin(pairs: ScoredPairs):
    flat = replace(pairs, scores=torch.zeros(6, 5))
    values = loss(flat, Params(margin=0.0, temperature=0.1, symmetric=0.0))
    assert torch.allclose(values, cross_entropy(flat.scores, flat.target, flat.allowed, 0.1))


def test_margin_and_temperature_have_no_gradient():
    scores = torch.tensor([[0.5, 0.2]], requires_grad=True)
    pairs = ScoredPairs(
        scores=scores,
        target=torch.tensor([0]),
        allowed=torch.ones(1, 2, dtype=torch.bool),
        shown=torch.zeros(1, 2, dtype=torch.bool),
        grade=torch.ones(1),
    )
    loss(pairs, Params(margin=0.02, temperature=0.2, symmetric=0.0)).sum().backward()
    odds = term(0.2, 0.5)
    slope = odds / (1 + odds) / (0.2 * (0.5 + 0.6))
    assert scores.grad is not None
    assert scores.grad[0].tolist() == pytest.approx([-slope, slope], rel=1e-4)
