"""Losses: a file for each kind, which says all about it.

A loss sees scores and what is known of the pairs, never a model, and returns one value per query.
Other files of this folder hold what several kinds share.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from smar.losses.scored import ScoredPairs
from smar.params import LossParams
from smar.params.kinds import LOSSES

Loss = Callable[[ScoredPairs], Tensor]
"""Scored pairs to one loss per query, [Q]."""


@dataclass(frozen=True)
class KindLoss:
    """The loss of a kind with its parameters.

    Args:
        of: What the kind's file computes.
        params: Its parameters.
        by_rows: Whether a query's value can be told from its own scores alone.
    """

    of: Callable[[ScoredPairs, Any], Tensor]
    params: Any
    by_rows: bool

    def __call__(self, pairs: ScoredPairs) -> Tensor:
        """Return one loss per query, [Q]."""
        return self.of(pairs, self.params)


def build_loss(params: LossParams) -> Loss:
    """Return the loss of a kind with its parameters."""
    kind = LOSSES[params.kind]
    return KindLoss(kind.load().loss, params.own, kind.facts["BY_ROWS"])


def is_by_rows(loss: Loss) -> bool:
    """Return whether a loss may be given some queries at a time; one that does not say may not."""
    return isinstance(loss, KindLoss) and loss.by_rows


@torch.no_grad()
def loss_of_equal_scores(pairs: ScoredPairs, loss: Loss) -> Tensor:
    """Return the losses, [Q], if every pair had the mean score: those of collapsed towers.

    For softmax it is ln(1 + allowed negatives), close to ln(B). A run whose loss stays there has
    learned nothing.
    """
    level = torch.full_like(pairs.scores, float(pairs.scores.mean()))
    return loss(replace(pairs, scores=level))
