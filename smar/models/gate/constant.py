"""A gate that is the same for every query."""

import torch
from torch import Tensor

from smar.models.gate.base import Gate


class Constant(Gate):
    """The same logit for every query.

    Args:
        logit: Logit of P(q), in [-inf, inf].
    """

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = logit

    def forward(self, pooled: Tensor) -> Tensor:
        """Return logits of P(q), [Q]."""
        return torch.full((len(pooled),), self.logit, device=pooled.device)
