"""Beyond Text's light mixture of modality experts, without its bilinear layer.

Shapes: B items, E experts, D embedding length.
"""

from torch import Tensor, nn
from torch.nn import functional

from smar.models.fusion.parts import Experts, mean_patches
from smar.models.text import TowerOutput
from smar.params.section import Count, Section


class Params(Section):
    """Parameters of this fusion."""

    ratio: Count = 2
    """Inner width of an expert over the text's width."""


class Fusion(Experts):
    """`g = softmax(W_g [t; v])`, `S_m = norm(LN(sum_k g_k E_k))`.

    The paper (Target, 2603.04836) names a gated light mixture of modality experts and no more; the
    form of the experts is our choice (`Experts`).

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
        super().__init__(text_width, image_width, dim, params.ratio * text_width)
        self.norm = nn.LayerNorm(dim)

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_m, [B, D]."""
        mixed = self.norm(self.mixture(text.pooled, mean_patches(image)))
        return functional.normalize(mixed.float(), dim=-1)
