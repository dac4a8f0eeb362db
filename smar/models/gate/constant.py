"""Gates that are the same for every query: the picture never counts, or always does."""

import torch
from torch import Tensor

from smar.models.gate.base import Gate, GateWidths


class NeverGate(Gate):
    """`P(q) = 0`: items are S_t, whatever the query.

    Args:
        widths: Not used; every gate is built alike.
    """

    logit = -torch.inf

    def __init__(self, widths: GateWidths) -> None:
        super().__init__()

    def forward(self, pooled: Tensor) -> Tensor:
        """Return logits of P(q), [Q]."""
        return torch.full((len(pooled),), self.logit, device=pooled.device)


class AlwaysGate(NeverGate):
    """`P(q) = 1`: items are S_m, whatever the query.

    Args:
        widths: Not used; every gate is built alike.
    """

    logit = torch.inf
