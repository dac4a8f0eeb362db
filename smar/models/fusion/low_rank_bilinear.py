"""What the text says times what the picture shows, in low rank (MLB).

Shapes: B items, R rank, D embedding length.
"""

from torch import Tensor, nn
from torch.nn import functional

from smar.models.fusion.parts import LowRankProduct, mean_patches
from smar.models.text import TowerOutput
from smar.params.section import Count, Section


class Params(Section):
    """Parameters of this fusion."""

    ratio: Count = 4
    """Rank over the text's width; 4 makes it the size of the concat fusion."""


class Fusion(nn.Module):
    """`S_m = norm(W (tanh(U t) * tanh(V v)))`: MLB (Kim et al., 2017).

    t is the pooled text state and v the mean over all patches. The rank is four times the text's
    width, the inner width of the concat fusion, so that the two are of one size.

    Example:
        >>> from smar.models.fusion.parts import example_towers
        >>> fusion = Fusion(8, 8, 4, Params())
        >>> tuple(fusion(*example_towers(items=3, width=8, dim=4)).shape)
        (3, 4)

    Args:
        text_width: Width of the text hidden states.
        image_width: Width of the image hidden states.
        dim: Embedding length D.
        params: The rank.
    """

    def __init__(self, text_width: int, image_width: int, dim: int, params: Params) -> None:
        super().__init__()
        self.product = LowRankProduct(text_width, image_width, params.ratio * text_width)
        self.projection = nn.Linear(params.ratio * text_width, dim)

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_m, [B, D]."""
        product = self.product(text.pooled, mean_patches(image))
        return functional.normalize(self.projection(product).float(), dim=-1)
