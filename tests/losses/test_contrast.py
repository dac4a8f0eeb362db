"""The cross-entropy that losses share, against closed forms and a slow oracle."""

import math

import pytest
import torch

from smar.errors import ShapeError
from smar.losses.contrast import cross_entropy


def test_softmax_equals_ln_of_batch_when_all_scores_are_equal():
    scores = torch.zeros(3, 7)
    loss = cross_entropy(scores, torch.tensor([0, 1, 6]), torch.ones(3, 7, dtype=torch.bool), 0.05)
    assert loss.tolist() == pytest.approx([math.log(7)] * 3)


def test_softmax_is_zero_where_no_negative_is_allowed():
    allowed = torch.zeros(2, 4, dtype=torch.bool)
    loss = cross_entropy(torch.randn(2, 4), torch.tensor([1, 3]), allowed, 0.1)
    assert loss.tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


def test_softmax_equals_double_loop():
    torch.manual_seed(0)
    scores = torch.rand(6, 5, dtype=torch.float32) * 2 - 1
    target = torch.randint(0, 5, (6,))
    allowed = torch.rand(6, 5) > 0.4
    expected = []
    for q in range(6):
        total = 0.0
        for j in range(5):
            if allowed[q, j] or j == target[q]:
                total += math.exp(float(scores[q, j]) / 0.2)
        expected.append(-math.log(math.exp(float(scores[q, target[q]]) / 0.2) / total))
    assert cross_entropy(scores, target, allowed, 0.2).tolist() == pytest.approx(expected, rel=1e-5)


def test_softmax_gives_a_masked_item_no_gradient():
    scores = torch.zeros(1, 3, requires_grad=True)
    allowed = torch.tensor([[True, False, True]])
    cross_entropy(scores, torch.tensor([0]), allowed, 1.0).sum().backward()
    assert scores.grad is not None
    assert scores.grad[0, 1] == 0
    assert scores.grad[0, 2] == pytest.approx(0.5)


def test_softmax_refuses_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"expected \[Q, B\], \[Q\] and \[Q, B\]"):
        cross_entropy(torch.zeros(2, 3), torch.zeros(2).long(), torch.ones(3, 2).bool(), 0.1)
