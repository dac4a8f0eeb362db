"""Losses: one small file each, and an entry here.

A loss sees scores and what is known of the pairs, never a model, and returns one value per query.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from smar.losses.adaptive import adaptive_loss
from smar.losses.gcl import gcl_loss
from smar.losses.hinge import hinge_loss
from smar.losses.scored import ScoredPairs
from smar.losses.softmax import softmax_loss
from smar.losses.three_part_hinge import three_part_hinge_loss
from smar.params import LossParams

Loss = Callable[[ScoredPairs, LossParams], Tensor]


def _softmax(pairs: ScoredPairs, params: LossParams) -> Tensor:
    return softmax_loss(pairs.scores, pairs.target, pairs.allowed, params.temperature)


def _hinge(pairs: ScoredPairs, params: LossParams) -> Tensor:
    return hinge_loss(pairs.scores, pairs.target, pairs.allowed, params.hinge.margin)


def _three_part_hinge(pairs: ScoredPairs, params: LossParams) -> Tensor:
    return three_part_hinge_loss(pairs, **params.three_part_hinge.model_dump())


def _gcl(pairs: ScoredPairs, params: LossParams) -> Tensor:
    return gcl_loss(pairs, temperature=params.temperature, power=params.gcl.power)


def _adaptive(pairs: ScoredPairs, params: LossParams) -> Tensor:
    return adaptive_loss(pairs, **params.adaptive.model_dump())


LOSSES: dict[str, Loss] = {
    "softmax": _softmax,
    "hinge": _hinge,
    "three_part_hinge": _three_part_hinge,
    "gcl": _gcl,
    "adaptive": _adaptive,
}


@torch.no_grad()
def loss_of_equal_scores(pairs: ScoredPairs, params: LossParams) -> Tensor:
    """Return the losses, [Q], if every pair had the mean score: those of collapsed towers.

    For softmax it is ln(1 + allowed negatives), close to ln(B). A run whose loss stays there has
    learned nothing.
    """
    level = torch.full_like(pairs.scores, float(pairs.scores.mean()))
    flat = ScoredPairs(level, pairs.target, pairs.allowed, pairs.shown, pairs.grade)
    return LOSSES[params.kind](flat, params)
