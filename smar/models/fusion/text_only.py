"""The text alone: the two-tower that SMAR's tables call DPSR.

It has no weights of its own: S_m is S_t, so the multimodal task is the text task once more.
"""

from torch import Tensor, nn

from smar.models.text import TowerOutput
from smar.params.section import Section

SEES_PICTURES = False


class Params(Section):
    """This fusion has none."""


class Fusion(nn.Module):
    """`S_m = S_t`: the picture is not looked at.

    Example:
        >>> from smar.models.fusion.parts import example_towers
        >>> fusion = Fusion(8, 8, 4, Params())
        >>> tuple(fusion(*example_towers(items=3, width=8, dim=4)).shape)
        (3, 4)

    Args:
        text_width: Not used; every fusion is built alike.
        image_width: Not used.
        dim: Not used.
        params: Not used.
    """

    def __init__(self, text_width: int, image_width: int, dim: int, params: Params) -> None:
        super().__init__()

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_t, [B, D]."""
        return text.embedding
