"""Beyond Text's loss: a hinge in three parts, with self-adversarial weights of the negatives."""

import torch
from torch import Tensor

from smar.losses.scored import ScoredPairs, check_shapes, negatives_of


def three_part_hinge_loss(
    pairs: ScoredPairs, *, engaged: float, shown: float, random: float, sharpness: float
) -> Tensor:
    """Return by how much engaged, shown and random pairs miss their bounds, squared.

    `max(0, engaged - s_t)^2 + sum_j w_j max(0, s_j - shown)^2 + sum_k w_k max(0, s_k - random)^2`,
    j over items that were shown and not engaged, k over the other allowed items (Nigam et al.,
    2019, with their bounds 0.9, 0.55 and 0.2, and their square). The weights are self-adversarial
    (Sun et al., 2019): `w_j = softmax_j(sharpness s_j)` within each part, without a gradient. How
    Beyond Text joins the two is not published: that each part sums to one weight is our choice.

    Args:
        pairs: Scores, in [-1, 1], and what is known of the pairs.
        engaged: Engaged pairs are to lie above this.
        shown: Pairs that were shown and not engaged are to lie below this.
        random: All others are to lie below this.
        sharpness: 0 weighs the negatives of a part alike, a large value only its hardest one. On
            cosines about 10 (our choice): 0.1 more of score is e times the weight.

    Returns:
        One loss per query, [Q].

    Raises:
        ShapeError: If the shapes do not fit.
    """
    check_shapes("three_part_hinge_loss", pairs.scores, pairs.target, pairs.allowed)
    scores = pairs.scores.float()
    negative = negatives_of(pairs.target, pairs.allowed)
    own = scores.gather(1, pairs.target[:, None]).squeeze(1)  # [Q]
    return (
        (engaged - own).clamp(min=0).square()
        + _part(scores, negative & pairs.shown, shown, sharpness)
        + _part(scores, negative & ~pairs.shown, random, sharpness)
    )


def _part(scores: Tensor, members: Tensor, bound: float, sharpness: float) -> Tensor:
    """Return the weighted squares above a bound, [Q]; 0 where the part has no member."""
    logits = (sharpness * scores.detach()).masked_fill(~members, -torch.inf)
    weights = logits.softmax(dim=1).nan_to_num(0.0)  # a row without members is all -inf
    return (weights * (scores - bound).clamp(min=0).square()).sum(1)
