"""SMAR's gate: supervised by whether what was engaged is bought by eye."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.nn import functional

from smar.models.gate.base import GateWidths
from smar.models.gate.header import Header
from smar.models.gate.teaching import Lesson
from smar.params.section import NonNegative, Section

TAUGHT = True


class Params(Section):
    """Parameters of this gate."""

    weight: NonNegative = 0.5
    """Weight of the gate's own cross-entropy (lambda in the paper)."""


def senseless(params: Any) -> Iterator[str]:
    """Yield what makes no sense with this gate."""
    if not params.fusion_kind.facts["SEES_PICTURES"]:
        yield (
            f"gate.kind: 'category' with model.fusion '{params.model.fusion}': S_m is S_t, so "
            "there is nothing to choose between. Set gate.kind to never"
        )
    if not params.gate.visual_categories:
        yield (
            "gate.kind: 'category' with an empty gate.visual_categories: no query is visual. Name "
            "the categories that are bought by eye, or set gate.kind to learned"
        )


class KindGate(Header):
    """`P L_m + (1 - P) L_t + lambda CE(P, y)`, y = 1 for a visual query (SMAR, 2023).

    Example:
        At P = 1/2 the loss is the mean of both, and the cross-entropy is ln 2.

        >>> import torch
        >>> gate = KindGate(GateWidths.example(), Params(weight=1.0))
        >>> ones, zeros = torch.ones(1), torch.zeros(1)
        >>> lesson = Lesson(lambda: ones, lambda: zeros, lambda: zeros, zeros, ones)
        >>> round(float(gate.teach(lesson)), 4)
        1.1931

    Args:
        widths: Widths of what the gate sees.
        params: Weight of the cross-entropy.
    """

    def __init__(self, widths: GateWidths, params: Params) -> None:
        super().__init__(widths)
        self.weight = params.weight

    def teach(self, lesson: Lesson) -> Tensor:
        """Return the mean of `P L_m + (1-P) L_t + lambda CE(P, y)`."""
        chance = lesson.logit.sigmoid()  # [Q]
        of_text, of_both = lesson.text(), lesson.multimodal()
        supervised = functional.binary_cross_entropy_with_logits(lesson.logit, lesson.visual)
        return (chance * of_both + (1 - chance) * of_text).mean() + self.weight * supervised
