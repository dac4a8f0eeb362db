"""A learned switch between text and picture, dimension by dimension.

Shapes: B items, H hidden width, D embedding length.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from smar.models.fusion.parts import mean_patches
from smar.models.text import TowerOutput
from smar.params.section import Section


class Params(Section):
    """This fusion has none."""


class Fusion(nn.Module):
    """`z = sigmoid(W_z [t; v])`, `S_m = norm(W (z * tanh(W_t t) + (1 - z) * tanh(W_v v)))`.

    The gated multimodal unit (Arevalo et al., 2017), with t the pooled text state and v the mean
    over all patches.

    Example:
        >>> from smar.models.fusion.parts import example_towers
        >>> fusion = Fusion(8, 8, 4, Params())
        >>> tuple(fusion(*example_towers(items=3, width=8, dim=4)).shape)
        (3, 4)

    Args:
        text_width: Width of the text hidden states.
        image_width: Width of the image hidden states.
        dim: Embedding length D.
        params: Not used.
    """

    def __init__(self, text_width: int, image_width: int, dim: int, params: Params) -> None:
        super().__init__()
        self.text = nn.Linear(text_width, text_width)
        self.image = nn.Linear(image_width, text_width)
        self.switch = nn.Linear(text_width + image_width, text_width)
        self.projection = nn.Linear(text_width, dim)

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_m, [B, D]."""
        picture = mean_patches(image)
        share = self.switch(torch.cat([text.pooled, picture], dim=-1)).sigmoid()  # [B, H]
        joint = torch.lerp(self.image(picture).tanh(), self.text(text.pooled).tanh(), share)
        return functional.normalize(self.projection(joint).float(), dim=-1)
