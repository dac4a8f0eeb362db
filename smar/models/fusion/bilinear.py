"""Low-rank bilinear fusions: what the text says times what the picture shows.

Shapes: B items, R rank, D embedding length.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from smar.models.fusion.patches import mean_patches
from smar.models.text import TowerOutput


class LowRankProduct(nn.Module):
    """`tanh(U t) * tanh(V v)`, [B, R]: every entry is one rank-one term of a bilinear form.

    Args:
        text_width: Width of t.
        image_width: Width of v.
        rank: R.
    """

    def __init__(self, text_width: int, image_width: int, rank: int) -> None:
        super().__init__()
        self.text = nn.Linear(text_width, rank)
        self.image = nn.Linear(image_width, rank)

    def forward(self, text: Tensor, picture: Tensor) -> Tensor:
        """Return the products, [B, R], of text states [B, H] and picture states [B, H]."""
        product: Tensor = self.text(text).tanh() * self.image(picture).tanh()
        return product


class LowRankBilinearFusion(nn.Module):
    """`S_m = norm(W (tanh(U t) * tanh(V v)))`: MLB (Kim et al., 2017).

    t is the pooled text state and v the mean over all patches. The rank is four times the text's
    width, the inner width of the concat fusion, so that the two are of one size.

    Args:
        text_width: Width of the text hidden states.
        image_width: Width of the image hidden states.
        dim: Embedding length D.
    """

    def __init__(self, text_width: int, image_width: int, dim: int) -> None:
        super().__init__()
        self.product = LowRankProduct(text_width, image_width, 4 * text_width)
        self.projection = nn.Linear(4 * text_width, dim)

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_m, [B, D]."""
        product = self.product(text.pooled, mean_patches(image))
        return functional.normalize(self.projection(product).float(), dim=-1)


class ConcatBilinearFusion(nn.Module):
    """`S_m = norm(W_2 gelu(W_1 [t; v; tanh(U t) * tanh(V v)]))`: concat that sees the products too.

    Args:
        text_width: Width of the text hidden states.
        image_width: Width of the image hidden states.
        dim: Embedding length D.
    """

    def __init__(self, text_width: int, image_width: int, dim: int) -> None:
        super().__init__()
        self.product = LowRankProduct(text_width, image_width, text_width)
        self.joint = nn.Linear(2 * text_width + image_width, 4 * text_width)
        self.projection = nn.Linear(4 * text_width, dim)

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_m, [B, D]."""
        picture = mean_patches(image)
        product = self.product(text.pooled, picture)
        joint = functional.gelu(self.joint(torch.cat([text.pooled, picture, product], dim=-1)))
        return functional.normalize(self.projection(joint).float(), dim=-1)
