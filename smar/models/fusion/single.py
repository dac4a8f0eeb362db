"""One modality alone: the two-towers that SMAR's tables call DPSR and DPSR-i.

Neither has weights of its own: S_m is the tower's own embedding, so the multimodal task is the
text task, or the image task, once more.
"""

import torch
from torch import Tensor, nn

from smar.models.text import TowerOutput


class TextOnlyFusion(nn.Module):
    """`S_m = S_t`: the picture is not looked at.

    Args:
        text_width: Not used; every fusion is built alike.
        image_width: Not used.
        dim: Not used.
    """

    def __init__(self, text_width: int, image_width: int, dim: int) -> None:
        super().__init__()

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_t, [B, D]."""
        return text.embedding


class ImageOnlyFusion(nn.Module):
    """`S_m = S_i`; S_t for an item without a picture.

    DPSR-i cannot find an item without a picture at all. Here such an item keeps its text vector
    (our choice), so that one ranking holds the whole catalogue, as with every other fusion; S_i
    alone, without them, is a system of its own in the evaluation report.

    Args:
        text_width: Not used; every fusion is built alike.
        image_width: Not used.
        dim: Not used.
    """

    def __init__(self, text_width: int, image_width: int, dim: int) -> None:
        super().__init__()

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_i where there is a picture, else S_t, [B, D]."""
        return torch.where(image.mask.any(1, keepdim=True), image.embedding, text.embedding)
