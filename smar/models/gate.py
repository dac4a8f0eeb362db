"""The header P(q): how much the picture counts for a query."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class Gate(nn.Module):
    """`P(q) = sigmoid(w_2 gelu(W_1 pool(H_q)))` in [0, 1]; 0.5 before training.

    1 means that only `S_m` counts, 0 that only `S_t` does (SMAR, 2023; the header's shape is our
    choice). Between them a query is the mixture `[(1-g) Q ; g Q]` over items `[S_t ; S_m]`.

    Args:
        width: Width of the query tower's hidden states.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.expand = nn.Linear(width, width // 2)
        self.contract = nn.Linear(width // 2, 1)
        nn.init.zeros_(self.contract.weight)
        nn.init.zeros_(self.contract.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """Return logits of P(q), [B], from pooled query states [B, H]."""
        hidden = functional.gelu(self.expand(pooled))
        return cast("Tensor", self.contract(hidden).squeeze(-1).float())


def gated_scores(text_scores: Tensor, multimodal_scores: Tensor, gate: Tensor) -> Tensor:
    """Return `(1-g) Q.S_t + g Q.S_m` of queries against items, [Q, N].

    Args:
        text_scores: Q.S_t, [Q, N].
        multimodal_scores: Q.S_m, [Q, N].
        gate: P(q), [Q], in [0, 1].
    """
    return torch.lerp(text_scores, multimodal_scores, gate[:, None])
