"""The sum of the modalities' own embeddings, corrected by what they say together.

Shapes: B items, D embedding length.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from smar.models.fusion.parts import mean_patches
from smar.models.text import TowerOutput
from smar.params.section import Count, Section


class Params(Section):
    """Parameters of this fusion."""

    ratio: Count = 4
    """Inner width of the correction over the text's width."""


class Fusion(nn.Module):
    """`S_m = norm(w_t S_t + w_i S_i + W_2 gelu(W_1 [t; v; S_t * S_i]))`; W_2 starts at zero.

    Neither paper has it. S_t and S_i are aligned with the queries by tasks of their own, so their
    sum is a good answer from the first steps on, and the MLP has to learn only what they do not
    say apart; the product tells it whether picture and text agree. w_t and w_i are learned from 1.

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
        self.weights = nn.Parameter(torch.ones(2))  # text, image
        self.joint = nn.Linear(text_width + image_width + dim, params.ratio * text_width)
        self.projection = nn.Linear(params.ratio * text_width, dim)
        nn.init.zeros_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_m, [B, D]."""
        product = text.embedding * image.embedding
        both = torch.cat([text.pooled, mean_patches(image), product.to(text.pooled.dtype)], dim=-1)
        correction = self.projection(functional.gelu(self.joint(both))).float()
        own = self.weights[0] * text.embedding + self.weights[1] * image.embedding
        return functional.normalize(own + correction, dim=-1)
