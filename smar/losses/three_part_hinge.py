"""Beyond Text's loss: a hinge in three parts, with self-adversarial weights of the negatives."""

from collections.abc import Iterator
from typing import Annotated, Any, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from smar.losses.scored import ScoredPairs, check_shapes, negatives_of
from smar.params.section import NonNegative, Section

IS_LIKELIHOOD = False
NEEDS_SHOWN = True


class Params(Section):
    """Parameters of this loss."""

    engaged: Annotated[float, Field(ge=-1, le=1)] = 0.9
    """Engaged pairs are to lie above this."""
    shown: Annotated[float, Field(ge=-1, le=1)] = 0.55
    """Pairs that were shown and not engaged are to lie below this."""
    random: Annotated[float, Field(ge=-1, le=1)] = 0.2
    """All others are to lie below this."""
    sharpness: NonNegative = 10.0
    """Of the self-adversarial weights: 0 weighs the negatives of a part alike, a large value only
    its hardest one. On cosines about 10: 0.1 more of score is e times the weight."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not self.random <= self.shown <= self.engaged:
            raise ValueError("the bounds must rise: random <= shown <= engaged")
        return self


def senseless(params: Any) -> Iterator[str]:
    """Yield what makes no sense with this loss."""
    if params.loss.weights == "learned":
        yield (
            f"loss.weights: 'learned' with loss.kind '{params.loss.kind}': a hinge is no "
            "likelihood, and the weight of one that reaches 0 grows without bound. Set "
            "loss.weights to fixed, or another loss.kind"
        )


def loss(pairs: ScoredPairs, params: Params) -> Tensor:
    """Return by how much engaged, shown and random pairs miss their bounds, squared.

    `max(0, engaged - s_t)^2 + sum_j w_j max(0, s_j - shown)^2 + sum_k w_k max(0, s_k - random)^2`,
    j over items that were shown and not engaged, k over the other allowed items (Nigam et al.,
    2019, with their bounds 0.9, 0.55 and 0.2, and their square). The weights are self-adversarial
    (Sun et al., 2019): `w_j = softmax_j(sharpness s_j)` within each part, without a gradient. How
    Beyond Text joins the two is not published: that each part sums to one weight is our choice.

    Example:
        The own item is .1 short of its bound, the only negative .3 above its own.

        >>> pairs = ScoredPairs.of([[0.8, 0.5]], target=[0])
        >>> round(float(loss(pairs, Params())), 4)
        0.1

    Args:
        pairs: Scores, in [-1, 1], and what is known of the pairs.
        params: Bounds and sharpness.

    Returns:
        One loss per query, [Q].

    Raises:
        ShapeError: If the shapes do not fit.
    """
    check_shapes("three_part_hinge", pairs.scores, pairs.target, pairs.allowed)
    scores = pairs.scores.float()
    negative = negatives_of(pairs.target, pairs.allowed)
    own = scores.gather(1, pairs.target[:, None]).squeeze(1)  # [Q]
    return (
        (params.engaged - own).clamp(min=0).square()
        + _part(scores, negative & pairs.shown, params.shown, params.sharpness)
        + _part(scores, negative & ~pairs.shown, params.random, params.sharpness)
    )


def _part(scores: Tensor, members: Tensor, bound: float, sharpness: float) -> Tensor:
    """Return the weighted squares above a bound, [Q]; 0 where the part has no member."""
    logits = (sharpness * scores.detach()).masked_fill(~members, -torch.inf)
    weights = logits.softmax(dim=1).nan_to_num(0.0)  # a row without members is all -inf
    return (weights * (scores - bound).clamp(min=0).square()).sum(1)
