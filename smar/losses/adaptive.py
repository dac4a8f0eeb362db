"""JD's adaptive hyper-parameters: a margin and a temperature for every negative."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from smar.losses.scored import ScoredPairs, check_shapes, negatives_of
from smar.params.section import NonNegative, Section

BY_ROWS = False


class Params(Section):
    """Parameters of this loss."""

    margin: Annotated[float, Field(ge=0, le=2)] = 0.01
    """Margin of a negative at score -1."""
    temperature: Annotated[float, Field(gt=0, le=1)] = 0.0333
    """Temperature of a negative at score 0."""
    symmetric: NonNegative = 0.05
    """Weight of the item's side."""


def loss(pairs: ScoredPairs, params: Params) -> Tensor:
    """Return a softmax loss whose margin and temperature follow the score of each negative.

    `ln(1 + sum_j exp((s_j + m_j - s_t) / T_j))` over the allowed items j. With the closeness
    `r_j = 0.5 (1 + s_j)` in [0, 1], taken without a gradient: `m_j = margin (1 - r_j)` and
    `T_j = temperature (0.5 + r_j)`. A negative close to the query, which may be a false one, is
    held apart by less and pushed more softly than one that is far. To it comes `symmetric` times
    the same loss of the item against the other queries, which keeps the towers from collapsing.

    Li et al. (EMNLP 2023) take both from the similarities of the batch with the constants 0.5,
    0.01 and 1/30, and weigh the symmetric part 0.05; the formulas themselves are our choice.

    Example:
        Without margin and symmetric part, two items of equal score: ln 2.

        >>> pairs = ScoredPairs.of([[0.5, 0.5]], target=[0])
        >>> round(float(loss(pairs, Params(margin=0.0, symmetric=0.0))), 4)
        0.6931

    Args:
        pairs: Scores, in [-1, 1], and what is known of the pairs.
        params: Margin, temperature and the weight of the item's side.

    Returns:
        One loss per query, [Q].

    Raises:
        ShapeError: If the shapes do not fit.
    """
    check_shapes("adaptive", pairs.scores, pairs.target, pairs.allowed)
    scores = pairs.scores.float()
    negative = negatives_of(pairs.target, pairs.allowed)
    own = scores.gather(1, pairs.target[:, None])  # [Q, 1]
    total = _one_side(scores, own, negative, params.margin, params.temperature)
    if params.symmetric:
        of_items = scores[:, pairs.target].T  # [Q, Q]: row i holds query i's item against queries
        others = negative[:, pairs.target].T
        side = _one_side(of_items, own, others, params.margin, params.temperature)
        total = total + params.symmetric * side
    return total


def _one_side(
    scores: Tensor, own: Tensor, negative: Tensor, margin: float, temperature: float
) -> Tensor:
    closeness = 0.5 * (1 + scores.detach())
    gap = scores + margin * (1 - closeness) - own
    logits = (gap / (temperature * (0.5 + closeness))).masked_fill(~negative, -torch.inf)
    return torch.cat([torch.zeros_like(own), logits], dim=1).logsumexp(dim=1)
