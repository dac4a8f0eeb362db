"""Ways to join an item's text and pictures into S_m: a file for each kind, which says all about it.

A fusion is a module built as `Fusion(text_width, image_width, dim, params)` and called as
`fusion(text: TowerOutput, image: TowerOutput) -> Tensor [B, D]`, unit rows. `parts.py` holds what
several kinds share.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from smar.params.kinds import FUSIONS


def build_fusion(
    kind: str, params: Mapping[str, Any], *, text_width: int, image_width: int, dim: int
) -> nn.Module:
    """Return a fusion before training.

    Args:
        kind: Its name.
        params: Its parameters; a missing one has its default.
        text_width: Width of the text hidden states.
        image_width: Width of the image hidden states.
        dim: Embedding length.

    Raises:
        ParamsError: If there is no such kind.
    """
    module = FUSIONS[kind].load()
    fusion: nn.Module = module.Fusion(text_width, image_width, dim, module.Params(**params))
    return fusion
