"""A gate per query and item that one index still serves.

Shapes: B items, H hidden width, D embedding length.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from smar.models.gate.base import GateWidths
from smar.models.gate.header import Header
from smar.models.text import TowerOutput
from smar.params.section import Section

TAUGHT = True


class Params(Section):
    """Parameters of this gate."""

    start: float = 3.0
    """Logit of h(s) before training: 3 is .95, so that training starts from the gate per query."""


def senseless(params: Any) -> Iterator[str]:
    """Yield what makes no sense with this gate."""
    if not params.fusion_kind.facts["SEES_PICTURES"]:
        yield (
            f"gate.kind: 'per_item' with model.fusion '{params.model.fusion}': S_m is S_t, so "
            "there is nothing to choose between. Set gate.kind to never"
        )


class KindGate(Header):
    """`g(q, s) = P(q) h(s)`, h(s) in [0, 1] saying how far an item's picture can be trusted.

    A free function of query and item could not be served from an index. The product can: from
    `(1 - P h) Q.S_t + P h Q.S_m = (1 - P) Q.S_t + P Q.((1 - h) S_t + h S_m)`, h belongs to the item
    alone, and is folded into what is indexed as its S_m: `norm((1 - h) S_t + h S_m)`, scaled to
    unit norm so that inner product, cosine and L2 keep ordering alike. Training scores with the
    same folded vectors, so the score that is trained is the score that is served, to the digit.

    At h = 0 an item is its text whatever the query: a wrong or generic picture costs nothing.
    h sees the pooled states of text and pictures, and S_t * S_i, from which it can tell whether
    they agree. The form is our choice: SMAR leaves a gate per instance as an open question.

    Example:
        >>> import torch
        >>> gate = KindGate(GateWidths.example(), Params())
        >>> gate(torch.zeros(2, 4)).sigmoid().tolist()
        [0.5, 0.5]

    Args:
        widths: Widths of what the gate sees.
        params: Where h starts.
    """

    def __init__(self, widths: GateWidths, params: Params) -> None:
        super().__init__(widths)
        seen = widths.text + widths.image + widths.dim
        last = nn.Linear(widths.text // 2, 1)
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, params.start)
        self.trust = nn.Sequential(nn.Linear(seen, widths.text // 2), nn.GELU(), last)

    def fold(self, text: TowerOutput, image: TowerOutput, fused: Tensor) -> Tensor:
        """Return `norm((1 - h) S_t + h S_m)`, [B, D]."""
        agreement = (text.embedding * image.embedding).to(text.pooled.dtype)
        seen = torch.cat([text.pooled, image.pooled, agreement], dim=-1)
        trust = self.trust(seen).float().sigmoid()  # h, [B, 1]
        return functional.normalize(torch.lerp(text.embedding, fused, trust), dim=-1)
