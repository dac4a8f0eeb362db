"""DPSR's hinge against closed forms and a slow oracle."""

import pytest
import torch

from smar.losses.hinge import hinge_loss
from smar.losses.scored import ScoredPairs


def test_hinge_is_the_margin_when_all_scores_are_equal(pairs: ScoredPairs):
    loss = hinge_loss(torch.zeros(6, 5), pairs.target, torch.ones(6, 5, dtype=torch.bool), 0.1)
    assert loss.tolist() == pytest.approx([0.1] * 6)


def test_hinge_is_zero_without_negatives_and_beyond_the_margin():
    scores = torch.tensor([[0.9, 0.7], [0.0, 0.9]])
    allowed = torch.tensor([[True, True], [False, False]])
    assert hinge_loss(scores, torch.tensor([0, 0]), allowed, 0.1).tolist() == [0.0, 0.0]


def test_hinge_equals_double_loop(pairs: ScoredPairs):
    expected = []
    for q in range(6):
        own = float(pairs.scores[q, pairs.target[q]])
        terms = [
            max(0.0, 0.3 - own + float(pairs.scores[q, j]))
            for j in range(5)
            if pairs.allowed[q, j] and j != pairs.target[q]
        ]
        expected.append(sum(terms) / max(1, len(terms)))
    loss = hinge_loss(pairs.scores, pairs.target, pairs.allowed, 0.3)
    assert loss.tolist() == pytest.approx(expected, rel=1e-5)
