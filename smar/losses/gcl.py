"""GCL: cross-entropy weighted by the grade of the engagement."""

from torch import Tensor

from smar.losses.scored import ScoredPairs
from smar.losses.softmax import softmax_loss


def gcl_loss(pairs: ScoredPairs, *, temperature: float, power: float) -> Tensor:
    """Return each query's softmax loss times the weight of its pair.

    `w softmax_loss`, with `w = grade^power` over its mean in the batch (Marqo GCL, 2404.08535: a
    graded score becomes the pair's weight). The form of the weight is our choice; a mean of 1 keeps
    the loss comparable with the plain one, and equal to it when all grades are. A synthetic pair
    has grade 1 of 4. Queries of an item are drawn by grade as well: this weighs what was drawn.

    Args:
        pairs: Scores, in [-1, 1], and what is known of the pairs.
        temperature: Softmax temperature, > 0.
        power: 0 weighs all pairs alike, 1 by grade.

    Returns:
        One loss per query, [Q].

    Raises:
        ShapeError: If the shapes do not fit.
    """
    weight = pairs.grade.float().pow(power)
    loss = softmax_loss(pairs.scores, pairs.target, pairs.allowed, temperature)
    return loss * weight / weight.mean()
