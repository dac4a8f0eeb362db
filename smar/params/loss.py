"""The section `loss`."""

from typing import Literal

from smar.params.choice import KindSection
from smar.params.kinds import LOSSES, with_kinds


@with_kinds(LOSSES)
class LossParams(KindSection):
    """What a query's own item is held against the others with."""

    kind: str = "softmax"
    """Name of a file in smar/losses/."""
    weights: Literal["fixed", "learned"] = "fixed"
    """Weights of the tasks: alpha, beta, gamma as they are, or as starting values."""
