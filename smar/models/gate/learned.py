"""The clicks alone teach how much the picture counts for a query."""

from smar.models.gate.base import GateWidths
from smar.models.gate.header import Header
from smar.params.section import Section

TAUGHT = True


class Params(Section):
    """This gate has none."""


class KindGate(Header):
    """`P(q) = sigmoid(w_2 gelu(W_1 pool(H_q)))`, trained by the loss of the mixed scores.

    SMAR (2023) supervises its header by category; that clicks suffice is our choice.

    Example:
        >>> import torch
        >>> gate = KindGate(GateWidths.example(), Params())
        >>> gate(torch.zeros(2, 4)).sigmoid().tolist()
        [0.5, 0.5]

    Args:
        widths: Widths of what the gate sees.
        params: Not used.
    """

    def __init__(self, widths: GateWidths, params: Params) -> None:
        super().__init__(widths)
