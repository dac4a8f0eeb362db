"""In-batch softmax cross-entropy."""

from typing import Annotated

from pydantic import Field
from torch import Tensor

from smar.losses.contrast import cross_entropy
from smar.losses.scored import ScoredPairs
from smar.params.section import Section


class Params(Section):
    """Parameters of this loss."""

    temperature: Annotated[float, Field(gt=0, le=1)] = 0.07
    """Softmax temperature (typical 0.02 to 0.1)."""


def loss(pairs: ScoredPairs, params: Params) -> Tensor:
    """Return the cross-entropy of each query's own item among the items of the batch.

    `-log(exp(s_t / T) / sum_j exp(s_j / T))` over the allowed items j and the target t.

    Example:
        Two items of equal score: ln 2.

        >>> pairs = ScoredPairs.of([[0.5, 0.5]], target=[0])
        >>> round(float(loss(pairs, Params())), 4)
        0.6931

    Args:
        pairs: Scores, in [-1, 1], and what is known of the pairs.
        params: The temperature.

    Returns:
        One loss per query, [Q]. Equals ln(1 + allowed negatives) when all scores are equal, and 0
        where no negative is allowed.

    Raises:
        ShapeError: If the shapes do not fit.

    Note:
        Gradient accumulation does not add negatives.
    """
    return cross_entropy(pairs.scores, pairs.target, pairs.allowed, params.temperature)
