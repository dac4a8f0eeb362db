"""A gate per query and item that one index still serves.

Shapes: B items, H hidden width, D embedding length.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from smar.models.gate.base import GateWidths
from smar.models.gate.query import QueryGate
from smar.models.text import TowerOutput

_TRUST_AT_START = 3.0  # logit: h(s) = 0.95, so that training starts from the gate per query


class PerItemGate(QueryGate):
    """`g(q, s) = P(q) h(s)`, h(s) in [0, 1] saying how far an item's picture can be trusted.

    A free function of query and item could not be served from an index. The product can: from
    `(1 - P h) Q.S_t + P h Q.S_m = (1 - P) Q.S_t + P Q.((1 - h) S_t + h S_m)`, h belongs to the item
    alone, and is folded into what is indexed as its S_m: `norm((1 - h) S_t + h S_m)`, scaled to
    unit norm so that inner product, cosine and L2 keep ordering alike. Training scores with the
    same folded vectors, so the score that is trained is the score that is served, to the digit.

    At h = 0 an item is its text whatever the query: a wrong or generic picture costs nothing.
    h sees the pooled states of text and pictures, and S_t * S_i, from which it can tell whether
    they agree. The form is our choice: SMAR leaves a gate per instance as an open question.

    Args:
        widths: Widths of what the gate sees.
    """

    def __init__(self, widths: GateWidths) -> None:
        super().__init__(widths)
        seen = widths.text + widths.image + widths.dim
        last = nn.Linear(widths.text // 2, 1)
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, _TRUST_AT_START)
        self.trust = nn.Sequential(nn.Linear(seen, widths.text // 2), nn.GELU(), last)

    def fold(self, text: TowerOutput, image: TowerOutput, fused: Tensor) -> Tensor:
        """Return `norm((1 - h) S_t + h S_m)`, [B, D]."""
        agreement = (text.embedding * image.embedding).to(text.pooled.dtype)
        seen = torch.cat([text.pooled, image.pooled, agreement], dim=-1)
        trust = self.trust(seen).float().sigmoid()  # h, [B, 1]
        return functional.normalize(torch.lerp(text.embedding, fused, trust), dim=-1)
