"""How a vision Transformer makes its patches out of pixels.

Shapes: M pictures, C channels, H hidden width.
"""

from typing import Any, cast

from torch import Tensor, nn

from smar.errors import ParamsError

_LEAST, _GROUPS = 16, 4  # channels, and groups of them that are normalised together


class ConvStem(nn.Sequential):
    """Patches by small strided convolutions instead of one large linear map of their pixels.

    One 3 x 3 convolution with normalisation per prime factor of the patch, then a 1 x 1 one to
    the hidden width (Xiao et al., "Early convolutions help Transformers see better", 2021; group
    instead of batch normalisation, so that a picture's patches do not depend on its neighbours).
    Colours and textures are learned in far fewer steps. Maps [M, 3, h, w] to
    [M, H, h / patch, w / patch].

    Args:
        hidden: H.
        patch: Edge of a patch, in pixels.
    """

    def __init__(self, hidden: int, patch: int) -> None:
        layers: list[nn.Module] = []
        channels = 3
        factors = _prime_factors(patch)
        for number, factor in enumerate(factors):
            width = max(_LEAST, (hidden >> (len(factors) - number)) // _GROUPS * _GROUPS)
            kernel = max(3, factor)
            layers += [
                nn.Conv2d(channels, width, kernel, factor, (kernel - factor + 1) // 2, bias=False),
                nn.GroupNorm(_GROUPS, width),
                nn.GELU(),
            ]
            channels = width
        super().__init__(*layers, nn.Conv2d(channels, hidden, 1))

    @property
    def weight(self) -> Tensor:
        """The last convolution's weight; backbones ask for its dtype."""
        return cast("Tensor", self[-1].weight)


def set_conv_stem(backbone: nn.Module) -> None:
    """Give a `transformers` vision Transformer convolutions for its patch projection."""
    embeddings: Any = getattr(getattr(backbone, "embeddings", None), "patch_embeddings", None)
    if not isinstance(getattr(embeddings, "projection", None), nn.Conv2d):
        raise ParamsError("model.image.stem: conv needs an architecture with patches, such as vit.")
    config: Any = backbone.config
    embeddings.projection = ConvStem(config.hidden_size, config.patch_size)


def _prime_factors(number: int) -> list[int]:
    factors, divisor = [], 2
    while number > 1:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1
    return factors
