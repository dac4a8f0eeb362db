"""The pictures alone: the two-tower that SMAR's tables call DPSR-i.

It has no weights of its own: S_m is S_i, so the multimodal task is the image task once more.
"""

import torch
from torch import Tensor, nn

from smar.models.text import TowerOutput
from smar.params.section import Section


class Params(Section):
    """This fusion has none."""


class Fusion(nn.Module):
    """`S_m = S_i`; S_t for an item without a picture.

    DPSR-i cannot find an item without a picture at all. Here such an item keeps its text vector
    (our choice), so that one ranking holds the whole catalogue, as with every other fusion; S_i
    alone, without them, is a system of its own in the evaluation report.

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
        """Return S_i where there is a picture, else S_t, [B, D]."""
        return torch.where(image.mask.any(1, keepdim=True), image.embedding, text.embedding)
