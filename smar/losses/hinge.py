"""DPSR's pairwise hinge."""

from torch import Tensor

from smar.losses.scored import check_shapes, negatives_of


def hinge_loss(scores: Tensor, target: Tensor, allowed: Tensor, margin: float) -> Tensor:
    """Return how far each query's negatives come into the margin below its own item.

    `mean_j max(0, margin - s_t + s_j)` over the allowed items j (DPSR, 2020). The paper's sum over
    negatives is a mean here (our choice), so that the value does not grow with the batch.

    Args:
        scores: Similarities of queries and items, in [-1, 1], [Q, B].
        target: Column of each query's own item, [Q].
        allowed: True where item j may stand as a negative of query i, [Q, B].
        margin: Least gap wanted between the own item and a negative, > 0 (DPSR: 0.1).

    Returns:
        One loss per query, [Q]. Equals `margin` when all scores are equal, and 0 where no negative
        is allowed.

    Raises:
        ShapeError: If the shapes do not fit.
    """
    check_shapes("hinge_loss", scores, target, allowed)
    negative = negatives_of(target, allowed)
    own = scores.float().gather(1, target[:, None])  # [Q, 1]
    short = (margin - own + scores.float()).clamp(min=0) * negative
    return short.sum(1) / negative.sum(1).clamp(min=1)
