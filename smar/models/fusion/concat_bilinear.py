"""Text and pictures side by side, and their products beside them.

Shapes: B items, R rank, D embedding length.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from smar.models.fusion.parts import LowRankProduct, mean_patches
from smar.models.text import TowerOutput
from smar.params.section import Count, Section


class Params(Section):
    """Parameters of this fusion."""

    ratio: Count = 4
    """Inner width of the MLP over the text's width."""


class Fusion(nn.Module):
    """`S_m = norm(W_2 gelu(W_1 [t; v; tanh(U t) * tanh(V v)]))`: concat that sees the products too.

    Example:
        >>> from smar.models.fusion.parts import example_towers
        >>> fusion = Fusion(8, 8, 4, Params())
        >>> tuple(fusion(*example_towers(items=3, width=8, dim=4)).shape)
        (3, 4)

    Args:
        text_width: Width of the text hidden states.
        image_width: Width of the image hidden states.
        dim: Embedding length D.
        params: The inner width.
    """

    def __init__(self, text_width: int, image_width: int, dim: int, params: Params) -> None:
        super().__init__()
        self.product = LowRankProduct(text_width, image_width, text_width)
        self.joint = nn.Linear(2 * text_width + image_width, params.ratio * text_width)
        self.projection = nn.Linear(params.ratio * text_width, dim)

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_m, [B, D]."""
        picture = mean_patches(image)
        product = self.product(text.pooled, picture)
        joint = functional.gelu(self.joint(torch.cat([text.pooled, picture, product], dim=-1)))
        return functional.normalize(self.projection(joint).float(), dim=-1)
