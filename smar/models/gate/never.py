"""The picture never counts: items are S_t, whatever the query."""

import torch

from smar.models.gate.base import GateWidths
from smar.models.gate.constant import Constant
from smar.params.section import Section


class Params(Section):
    """This gate has none."""


class KindGate(Constant):
    """`P(q) = 0`: items are S_t, whatever the query.

    Example:
        >>> import torch
        >>> gate = KindGate(GateWidths.example(), Params())
        >>> gate(torch.zeros(2, 4)).sigmoid().tolist()
        [0.0, 0.0]

    Args:
        widths: Not used; every gate is built alike.
        params: Not used.
    """

    def __init__(self, widths: GateWidths, params: Params) -> None:
        super().__init__(-torch.inf)
