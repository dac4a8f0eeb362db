"""Beyond Text's fusion: a light mixture of modality experts, with and without a bilinear layer.

Shapes: B items, H hidden width, E experts, D embedding length.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from smar.models.fusion.bilinear import LowRankProduct
from smar.models.fusion.patches import mean_patches
from smar.models.text import TowerOutput


class MoeFusion(nn.Module):
    """`g = softmax(W_g [t; v])`, `S_m = norm(LN(sum_k g_k E_k))`.

    The paper (Target, 2603.04836) names a gated light mixture of modality experts and no more. Our
    choice: three 2-layer MLPs, one that sees the text state t, one the mean patch v, one both, and
    a gate that sees both; all three always run (there is no routing to save on at this size).

    Args:
        text_width: Width of the text hidden states.
        image_width: Width of the image hidden states.
        dim: Embedding length D.
    """

    def __init__(self, text_width: int, image_width: int, dim: int) -> None:
        super().__init__()
        both = text_width + image_width
        self.switch = nn.Linear(both, 3)
        self.experts = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, 2 * text_width), nn.GELU(), nn.Linear(2 * text_width, dim)
            )
            for width in (text_width, image_width, both)
        )
        self.norm = nn.LayerNorm(dim)

    def mixture(self, text: Tensor, picture: Tensor) -> Tensor:
        """Return `sum_k g_k E_k`, [B, D], of text states [B, H] and picture states [B, H]."""
        both = torch.cat([text, picture], dim=-1)
        share = self.switch(both).softmax(dim=-1)  # [B, E]
        answers = [
            expert(seen) for expert, seen in zip(self.experts, (text, picture, both), strict=True)
        ]
        return torch.einsum("be,ebd->bd", share, torch.stack(answers))

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_m, [B, D]."""
        mixed = self.norm(self.mixture(text.pooled, mean_patches(image)))
        return functional.normalize(mixed.float(), dim=-1)


class MoeBilinearFusion(MoeFusion):
    """`S_m = norm(LN(sum_k g_k E_k + W_o (tanh(U t) * tanh(V v))))`: experts and a bilinear layer.

    The form of Beyond Text's best model; that the two are added, and the rank (the text's width),
    are our choices.

    Args:
        text_width: Width of the text hidden states.
        image_width: Width of the image hidden states.
        dim: Embedding length D.
    """

    def __init__(self, text_width: int, image_width: int, dim: int) -> None:
        super().__init__(text_width, image_width, dim)
        self.product = LowRankProduct(text_width, image_width, text_width)
        self.output = nn.Linear(text_width, dim)

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_m, [B, D]."""
        picture = mean_patches(image)
        product = self.output(self.product(text.pooled, picture))
        mixed = self.norm(self.mixture(text.pooled, picture) + product)
        return functional.normalize(mixed.float(), dim=-1)
