"""SMAR without cross-attention (SMAR-nc): text and pictures side by side through an MLP."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from smar.models.fusion.patches import mean_patches
from smar.models.text import TowerOutput


class ConcatFusion(nn.Module):
    """`S_m = norm(W_2 gelu(W_1 [pool(H_t); mean(H_i)]))`.

    The mean is over all patches of all pictures.

    Args:
        text_width: Width of the text hidden states.
        image_width: Width of the image hidden states.
        dim: Embedding length D.
    """

    def __init__(self, text_width: int, image_width: int, dim: int) -> None:
        super().__init__()
        self.joint = nn.Linear(text_width + image_width, 4 * text_width)
        self.projection = nn.Linear(4 * text_width, dim)

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_m, [B, D]."""
        both = torch.cat([text.pooled, mean_patches(image)], dim=-1)
        return functional.normalize(
            self.projection(functional.gelu(self.joint(both))).float(), dim=-1
        )
