"""One vector for all patches of all pictures of an item.

Shapes: B items, P patches, H hidden width.
"""

import torch
from torch import Tensor

from smar.models.text import TowerOutput


def mean_patches(image: TowerOutput) -> Tensor:
    """Return the mean over an item's real patches, [B, H]; zero without a picture."""
    weights = image.mask / image.mask.sum(1, keepdim=True).clamp(min=1)  # [B, K * P]
    return torch.einsum("bp,bph->bh", weights.to(image.hidden.dtype), image.hidden)
