"""SMAR without cross-attention (SMAR-nc): text and pictures side by side through an MLP."""

import torch
from torch import Tensor, nn
from torch.nn import functional

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
        weights = image.mask / image.mask.sum(1, keepdim=True).clamp(min=1)  # [B, K * P]
        pooled = torch.einsum("bp,bph->bh", weights.to(image.hidden.dtype), image.hidden)
        joint = functional.gelu(self.joint(torch.cat([text.pooled, pooled], dim=-1)))
        return functional.normalize(self.projection(joint).float(), dim=-1)
