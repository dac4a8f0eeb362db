"""What every gate has in common.

Shapes: Q queries, B items, H hidden width, D embedding length.
"""

from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from smar.models.gate.teaching import Benefit, Lesson, by_clicks
from smar.models.text import TowerOutput


@dataclass(frozen=True)
class GateWidths:
    """Widths of what a gate may see.

    Args:
        query: Query hidden states.
        text: Item text hidden states.
        image: Item image hidden states.
        dim: Embeddings.
    """

    query: int
    text: int
    image: int
    dim: int

    @classmethod
    def example(cls) -> Self:
        """Return small widths, for examples."""
        return cls(query=4, text=4, image=4, dim=2)


class Gate(nn.Module):
    """How much the picture counts: for a query, and, where a kind says so, for an item.

    A kind gives `forward(pooled [Q, H]) -> logits [Q]` of P(q), and may change `fold` and `teach`.
    One that states `SETTLES` takes its place when the towers are trained, and is then told what the
    picture brought; in training a header that the clicks teach stands for it, if they teach any
    (`finetune.gated`). One that states `TAUGHT` has nothing but the gated loss to learn from.
    """

    def fold(self, text: TowerOutput, image: TowerOutput, fused: Tensor) -> Tensor:
        """Return S_m as it is indexed, unit rows [B, D], from the fusion's S_m."""
        return fused

    def teach(self, lesson: Lesson) -> Tensor:
        """Return the loss, scalar, that a step of fine-tuning minimises: that of clicks alone."""
        return by_clicks(lesson)

    def settle(self, benefit: Benefit) -> dict[str, float]:
        """Take over what the picture brought, in place; return figures worth keeping."""
        raise NotImplementedError(f"{type(self).__name__} states SETTLES and does not settle")
