"""DPSR's pairwise hinge."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

from smar.losses.scored import ScoredPairs, check_shapes, negatives_of
from smar.params.section import Section

IS_LIKELIHOOD = False


class Params(Section):
    """Parameters of this loss."""

    margin: Annotated[float, Field(gt=0, le=2)] = 0.1
    """Least gap wanted between the own item and a negative (DPSR: 0.1)."""


def senseless(params: Any) -> Iterator[str]:
    """Yield what makes no sense with this loss."""
    if params.loss.weights == "learned":
        yield (
            f"loss.weights: 'learned' with loss.kind '{params.loss.kind}': a hinge is no "
            "likelihood, and the weight of one that reaches 0 grows without bound. Set "
            "loss.weights to fixed, or another loss.kind"
        )


def loss(pairs: ScoredPairs, params: Params) -> Tensor:
    """Return how far each query's negatives come into the margin below its own item.

    `mean_j max(0, margin - s_t + s_j)` over the allowed items j (DPSR, 2020). The paper's sum over
    negatives is a mean here (our choice), so that the value does not grow with the batch.

    Example:
        A negative that scores as high as the own item costs the margin.

        >>> pairs = ScoredPairs.of([[0.5, 0.5]], target=[0])
        >>> round(float(loss(pairs, Params(margin=0.2))), 4)
        0.2

    Args:
        pairs: Scores, in [-1, 1], and what is known of the pairs.
        params: The margin.

    Returns:
        One loss per query, [Q]. Equals `margin` when all scores are equal, and 0 where no negative
        is allowed.

    Raises:
        ShapeError: If the shapes do not fit.
    """
    check_shapes("hinge", pairs.scores, pairs.target, pairs.allowed)
    negative = negatives_of(pairs.target, pairs.allowed)
    scores = pairs.scores.float()
    own = scores.gather(1, pairs.target[:, None])  # [Q, 1]
    short = (params.margin - own + scores).clamp(min=0) * negative
    return short.sum(1) / negative.sum(1).clamp(min=1)
