"""Losses: a file for each kind, which says all about it.

A loss sees scores and what is known of the pairs, never a model, and returns one value per query.
Other files of this folder hold what several kinds share.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from smar.losses.scored import ScoredPairs
from smar.params import LossParams
from smar.params.kinds import LOSSES

Loss = Callable[[ScoredPairs], Tensor]
"""Scored pairs to one loss per query, [Q]."""


def build_loss(params: LossParams) -> Loss:
    """Return the loss of a kind with its parameters."""
    module = LOSSES[params.kind].load()

    def loss(pairs: ScoredPairs) -> Tensor:
        values: Tensor = module.loss(pairs, params.own)
        return values

    return loss


@torch.no_grad()
def loss_of_equal_scores(pairs: ScoredPairs, loss: Loss) -> Tensor:
    """Return the losses, [Q], if every pair had the mean score: those of collapsed towers.

    For softmax it is ln(1 + allowed negatives), close to ln(B). A run whose loss stays there has
    learned nothing.
    """
    level = torch.full_like(pairs.scores, float(pairs.scores.mean()))
    return loss(ScoredPairs(level, pairs.target, pairs.allowed, pairs.shown, pairs.grade))
