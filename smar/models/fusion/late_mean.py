"""The weighted mean of the fields' own embeddings, as in GCL.

Shapes: B items, D embedding length.
"""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from smar.models.text import TowerOutput
from smar.params.section import Section


class Params(Section):
    """How much each field says before training."""

    image_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The picture's part of the weights before training; the text has the rest."""


class Fusion(nn.Module):
    """`S_m = norm(w_t S_t + w_i S_i)` with `w = softmax(weights)`.

    A missing field's weight goes to the rest. GCL (2404.08535) sets the weights by hand (image .9,
    title .1). Here the two are learned, from `params.image_share` (our choice): which field says
    more differs from shop to shop.

    Example:
        >>> from smar.models.fusion.parts import example_towers
        >>> fusion = Fusion(8, 8, 4, Params())
        >>> tuple(fusion(*example_towers(items=3, width=8, dim=4)).shape)
        (3, 4)

    Args:
        text_width: Not used; every fusion is built alike.
        image_width: Not used.
        dim: Not used.
        params: The share that the picture starts from.
    """

    def __init__(self, text_width: int, image_width: int, dim: int, params: Params) -> None:
        super().__init__()
        start = math.log(params.image_share / (1 - params.image_share))
        self.weights = nn.Parameter(torch.tensor([0.0, start]))  # text, image

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_m, [B, D]."""
        logits = self.weights.float().expand(len(image.mask), 2)
        absent = torch.stack([torch.zeros_like(image.mask[:, 0]), ~image.mask.any(1)], dim=1)
        share = logits.masked_fill(absent, -torch.inf).softmax(dim=1)  # [B, 2]
        mean = share[:, :1] * text.embedding + share[:, 1:] * image.embedding
        return functional.normalize(mean, dim=-1)
