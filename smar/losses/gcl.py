"""GCL: cross-entropy weighted by the grade of the engagement."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

from smar.losses.contrast import cross_entropy
from smar.losses.scored import ScoredPairs
from smar.params.section import NonNegative, Section


class Params(Section):
    """Parameters of this loss."""

    temperature: Annotated[float, Field(gt=0, le=1)] = 0.07
    """Softmax temperature."""
    power: NonNegative = 1.0
    """A pair weighs its engagement grade to this power; 0 weighs all pairs alike."""


def senseless(params: Any) -> Iterator[str]:
    """Yield what makes no sense with this loss."""
    if params.log_kind == "none":
        yield (
            "loss.kind: 'gcl' with ingest.log.kind 'none': without engagement all pairs weigh the "
            "same. Set loss.kind to softmax"
        )


def loss(pairs: ScoredPairs, params: Params) -> Tensor:
    """Return each query's softmax loss times the weight of its pair.

    `w cross_entropy`, with `w = grade^power` over its mean in the batch (Marqo GCL, 2404.08535: a
    graded score becomes the pair's weight). The form of the weight is our choice; a mean of 1 keeps
    the loss comparable with the plain one, and equal to it when all grades are. A synthetic pair
    has grade 1 of 4. Queries of an item are drawn by grade as well: this weighs what was drawn.

    Example:
        The pair of grade 3 weighs three times the pair of grade 1.

        >>> pairs = ScoredPairs.of([[0.5, 0.5], [0.5, 0.5]], target=[0, 1], grade=[3.0, 1.0])
        >>> first, second = loss(pairs, Params())
        >>> round(float(first / second), 4)
        3.0

    Args:
        pairs: Scores, in [-1, 1], and what is known of the pairs.
        params: Temperature and power.

    Returns:
        One loss per query, [Q].

    Raises:
        ShapeError: If the shapes do not fit.
    """
    weight = pairs.grade.float().pow(params.power)
    of_all = weight if pairs.grades is None else pairs.grades.float().pow(params.power)
    plain = cross_entropy(pairs.scores, pairs.target, pairs.allowed, params.temperature)
    return plain * weight / of_all.mean()
