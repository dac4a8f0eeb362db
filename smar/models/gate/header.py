"""The header P(q) that several gates are made of."""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from smar.models.gate.base import Gate, GateWidths


class Header(Gate):
    """`P(q) = sigmoid(w_2 gelu(W_1 pool(H_q)))` in [0, 1]; 0.5 before training.

    1 means that only `S_m` counts, 0 that only `S_t` does (SMAR, 2023; the header's shape is our
    choice). Between them a query is the mixture `[(1-g) Q ; g Q]` over items `[S_t ; S_m]`.

    Args:
        widths: Widths of what the gate sees.
    """

    def __init__(self, widths: GateWidths) -> None:
        super().__init__()
        self.expand = nn.Linear(widths.query, widths.query // 2)
        self.contract = nn.Linear(widths.query // 2, 1)
        nn.init.zeros_(self.contract.weight)
        nn.init.zeros_(self.contract.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """Return logits of P(q), [Q], from pooled query states [Q, H]."""
        hidden = functional.gelu(self.expand(pooled))
        return cast("Tensor", self.contract(hidden).squeeze(-1).float())
