"""DPSR's hinge against closed forms and a slow oracle."""

from dataclasses import replace

import pytest
import torch

from smar.losses.hinge import Params, loss
from smar.losses.scored import ScoredPairs


def test_hinge_is_the_margin_when_all_scores_are_equal(pairs: ScoredPairs):
    flat = replace(pairs, scores=torch.zeros(6, 5), allowed=torch.ones(6, 5, dtype=torch.bool))
    assert loss(flat, Params(margin=0.1)).tolist() == pytest.approx([0.1] * 6)


def test_hinge_is_zero_without_negatives_and_beyond_the_margin():
    pairs = ScoredPairs.of([[0.9, 0.7], [0.0, 0.9]], target=[0, 0])
    pairs = replace(pairs, allowed=torch.tensor([[True, True], [False, False]]))
    assert loss(pairs, Params(margin=0.1)).tolist() == [0.0, 0.0]


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
    assert loss(pairs, Params(margin=0.3)).tolist() == pytest.approx(expected, rel=1e-5)
