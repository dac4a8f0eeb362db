"""Ways to join an item's text and pictures into S_m: one small file each, and an entry here.

A fusion is a module built as `Fusion(text_width, image_width, dim)` and called as
`fusion(text: TowerOutput, image: TowerOutput) -> Tensor [B, D]`, unit rows.
"""

from collections.abc import Callable

from torch import nn

from smar.models.fusion.concat import ConcatFusion
from smar.models.fusion.cross_attention import CrossAttentionFusion

FUSIONS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "cross_attention": CrossAttentionFusion,
    "concat": ConcatFusion,
}
