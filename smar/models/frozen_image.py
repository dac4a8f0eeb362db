"""The item image tower over a frozen backbone, whose features are computed once and kept.

Shapes: M pictures, P places, H width of the pooled state, F numbers of a picture's features.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from smar.models.frozen import FeatureShape, Kept, PooledTop, TokenTop, features_of, levels_of
from smar.models.image import ImageTower
from smar.models.pixels import normed, pixels_of
from smar.models.projection import new_projection

_LARGEST = 65504.0  # of float16


class FrozenImageTower(ImageTower):
    """Pictures -> frozen backbone -> features -> a small Transformer, or an MLP -> linear -> norm.

    It takes pictures (uint8) or features that were computed before (floating point) and makes the
    same of both, to the precision of float16. Where the backbone's own embedding is in one space
    with texts, what is learned is added to it and begins at zero, so that the tower starts as the
    backbone was trained.

    Args:
        backbone: A `transformers` vision encoder.
        dim: Embedding length D.
        kept: What is kept of the backbone, and the sizes of what learns from it.
        others: As `ImageTower` takes them.
    """

    def __init__(self, backbone: nn.Module, dim: int, *, kept: Kept, **others: Any) -> None:
        super().__init__(backbone, dim, **others)
        self.kept = kept
        self.shape = self._shape()
        self.top = (TokenTop if kept.layers else PooledTop)(self.shape, kept, dim)
        self.width = kept.hidden
        if not kept.adds:
            self.head = nn.Sequential()
            self.projection = new_projection(kept.hidden, dim, 1, keeps=False)

    def settings(self) -> dict[str, Any]:
        """Return the preprocessing that has to travel with the weights."""
        return {**super().settings(), "kept": self.kept.as_dict()}

    def pretrained_parameters(self) -> Iterator[nn.Parameter]:
        """Yield what came with the pretrained model."""
        yield from self.backbone.parameters()
        if self.kept.adds:
            yield from self.head.parameters()
            yield from self.projection.parameters()

    def aligned_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the MLP's weights and norms with the projection; maps of places are not aligned."""
        yield from super().aligned_parameters()
        if isinstance(self.top, PooledTop):
            yield from self.top.mapping_parameters()

    @torch.no_grad()
    def features(self, pictures: Tensor) -> Tensor:
        """Return the features [M, F] of pictures, uint8 [M, height, width, 3]."""
        if not len(pictures):
            return self.projection.weight.new_zeros(0, self.shape.width)
        return self._features(pixels_of(pictures, self.preprocessing))[0]

    def parts(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return pooled states [M, H] and places [M, P, W] of pictures or of their features."""
        rows = pictures if pictures.is_floating_point() else self.features(pictures)
        return self.shape.parts(rows.float())

    def _features(self, pixels: Tensor) -> tuple[Tensor, FeatureShape]:
        output = self.backbone(
            pixel_values=normed(pixels, self.preprocessing),
            output_hidden_states=True,
            **self._other_size,
        )
        states, pooled = self._read(output)
        levels = levels_of(output, states, self.prefix, self._patches())
        rows, shape = features_of(levels, pooled, pixels, self.kept)
        return rows.clamp(-_LARGEST, _LARGEST), shape

    def _patches(self) -> tuple[int, int]:
        """Return rows and columns of patches of the size that the backbone sees."""
        config: Any = self.backbone.config
        patch = getattr(config, "patch_size", 1)
        edges = (patch, patch) if isinstance(patch, int) else tuple(patch)
        return self.size[0] // edges[0], self.size[1] // edges[1]

    @torch.no_grad()
    def _shape(self) -> FeatureShape:
        """Return how features are made up, from a blank picture."""
        training = self.backbone.training
        self.backbone.eval()  # else its statistics would take the blank one in
        weight = next(self.backbone.parameters())
        shape = self._features(weight.new_zeros(1, 3, *self.size))[1]
        self.backbone.train(training)
        return shape

    def _encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states of pictures, and what is learned of each beside the backbone's own."""
        pooled, places = self.parts(pictures)
        states, own = self.top(pooled, places)
        return states, torch.cat([own, pooled.to(states.dtype)], dim=1)

    def _project(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        own, before = torch.split(pooled, [self.width, self.shape.pooled], dim=1)
        if self.top.added is None:
            return own, self.projection(own)
        return own, self.projection(self.head(before)) + self.top.added(own)
