"""Ways to join an item's text and pictures into S_m: one small file each, and an entry here.

A fusion is a module built as `Fusion(text_width, image_width, dim)` and called as
`fusion(text: TowerOutput, image: TowerOutput) -> Tensor [B, D]`, unit rows.
"""

from collections.abc import Callable

from torch import nn

from smar.models.fusion.bilinear import ConcatBilinearFusion, LowRankBilinearFusion
from smar.models.fusion.concat import ConcatFusion
from smar.models.fusion.cross_attention import CrossAttentionFusion
from smar.models.fusion.gated_sum import GatedSumFusion
from smar.models.fusion.late_mean import LateMeanFusion
from smar.models.fusion.moe import MoeBilinearFusion, MoeFusion
from smar.models.fusion.residual import ResidualFusion
from smar.models.fusion.single import ImageOnlyFusion, TextOnlyFusion

FUSIONS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "text_only": TextOnlyFusion,
    "image_only": ImageOnlyFusion,
    "late_mean": LateMeanFusion,
    "concat": ConcatFusion,
    "gated_sum": GatedSumFusion,
    "cross_attention": CrossAttentionFusion,
    "low_rank_bilinear": LowRankBilinearFusion,
    "moe": MoeFusion,
    "moe_bilinear": MoeBilinearFusion,
    "concat_bilinear": ConcatBilinearFusion,
    "residual": ResidualFusion,
}
