"""What holds for every registered loss."""

from dataclasses import replace

import pytest
import torch

from smar.errors import ShapeError
from smar.losses import Loss, build_loss, loss_of_equal_scores
from smar.losses.scored import ScoredPairs
from smar.params import LossParams
from smar.params.kinds import LOSSES

KINDS = sorted(LOSSES)


def of_kind(params: LossParams, kind: str) -> Loss:
    return build_loss(params.model_copy(update={"kind": kind}))


@pytest.mark.parametrize("kind", KINDS)
def test_loss_falls_when_the_own_item_rises(kind: str, pairs: ScoredPairs, tiny_loss: LossParams):
    own = torch.nn.functional.one_hot(pairs.target, 5).bool()
    lower = replace(pairs, scores=torch.where(own, -0.2, pairs.scores * 0.5))
    higher = replace(pairs, scores=torch.where(own, 0.6, pairs.scores * 0.5))
    loss = of_kind(tiny_loss, kind)
    assert (loss(higher) < loss(lower)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_masked_items_have_no_gradient(kind: str, pairs: ScoredPairs, tiny_loss: LossParams):
    """Co-clicked items, duplicates and possible sources are masked: they must not be pushed."""
    scores = pairs.scores.clone().requires_grad_()
    own = torch.nn.functional.one_hot(pairs.target, 5).bool()
    allowed = pairs.allowed & ~own
    wide = tiny_loss.hinge.model_copy(update={"margin": 2.0})
    loss = build_loss(tiny_loss.model_copy(update={"kind": kind, "hinge": wide}))
    loss(replace(pairs, scores=scores, allowed=allowed)).sum().backward()
    assert scores.grad is not None
    assert (scores.grad[~allowed & ~own] == 0).all()
    assert scores.grad[own].any()


@pytest.mark.parametrize("kind", KINDS)
def test_loss_does_not_depend_on_the_order_of_items(
    kind: str, pairs: ScoredPairs, tiny_loss: LossParams
):
    loss = of_kind(tiny_loss, kind)
    order = torch.tensor([3, 0, 4, 1, 2])
    turned = replace(
        pairs,
        scores=pairs.scores[:, order],
        target=torch.argsort(order)[pairs.target],
        allowed=pairs.allowed[:, order],
        shown=pairs.shown[:, order],
    )
    assert torch.allclose(loss(pairs), loss(turned), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_loss_of_equal_scores_is_that_of_collapsed_towers(
    kind: str, pairs: ScoredPairs, tiny_loss: LossParams
):
    loss = of_kind(tiny_loss, kind)
    collapsed = replace(pairs, scores=torch.full((6, 5), 0.7))
    assert torch.allclose(loss_of_equal_scores(collapsed, loss), loss(collapsed))


@pytest.mark.parametrize("kind", KINDS)
def test_loss_refuses_shapes_that_do_not_fit(kind: str, pairs: ScoredPairs, tiny_loss: LossParams):
    loss = of_kind(tiny_loss, kind)
    with pytest.raises(ShapeError, match=r"expected \[Q, B\], \[Q\] and \[Q, B\]"):
        loss(replace(pairs, allowed=pairs.allowed[:, :3]))
