"""The item image tower: any number of pictures per item.

Shapes: M pictures, B items, P patches a picture, H hidden width, D embedding length.
"""

import logging
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PretrainedConfig
from transformers.image_processing_base import ImageProcessingMixin

from smar.errors import ParamsError
from smar.models.backbone import build_from_config, hidden_size, load_pretrained, new_config
from smar.models.stem import set_conv_stem
from smar.models.text import TowerOutput
from smar.params import ImageTowerParams

logger = logging.getLogger(__name__)


class ImageTower(nn.Module):
    """Pictures -> vision backbone -> one state each -> mean of them -> linear -> unit norm.

    All patches of all pictures of an item stand side by side in `hidden`; pictures carry no order,
    so neither do the results. An item without a picture has an all-False mask and a zero embedding.

    Args:
        backbone: A `transformers` vision encoder.
        dim: Embedding length D.
        size: Height and width the backbone expects, in pixels.
        mean: Channel means of the backbone's normalisation, for values in [0, 1].
        std: Channel standard deviations of the same.
        stem: "patch" keeps the backbone's own patch projection, "conv" replaces it.
        pooling: "cls" takes each picture's first token, "mean" the mean over its patches.
    """

    def __init__(
        self,
        backbone: nn.Module,
        dim: int,
        *,
        size: Sequence[int],
        mean: Sequence[float],
        std: Sequence[float],
        stem: str = "patch",
        pooling: str = "cls",
    ) -> None:
        super().__init__()
        if stem == "conv":
            set_conv_stem(backbone)
        self.backbone = backbone
        self.stem, self.pooling = stem, pooling
        self.projection = nn.Linear(hidden_size(backbone), dim)
        self.size = (int(size[0]), int(size[1]))
        self.mean, self.std = list(mean), list(std)

    def settings(self) -> dict[str, Any]:
        """Return the preprocessing that has to travel with the weights."""
        return {
            "size": list(self.size),
            "mean": self.mean,
            "std": self.std,
            "stem": self.stem,
            "pooling": self.pooling,
        }

    def forward(self, pictures: Tensor, owner: Tensor, num_items: int) -> TowerOutput:
        """Return hidden states [B, K * P, H] and embeddings [B, D] of items.

        Args:
            pictures: uint8, [M, height, width, 3].
            owner: Row of the item each picture belongs to, ascending, [M].
            num_items: B.
        """
        patches = self._encode(pictures)  # [M, P, H]
        num_patches, width = patches.shape[1], patches.shape[2]
        counts = torch.bincount(owner, minlength=num_items)  # [B]
        most = max(1, int(counts.max())) if len(owner) else 1
        first = torch.cumsum(counts, 0) - counts
        slot = torch.arange(len(owner), device=owner.device) - first[owner]  # [M]
        if most == 1 and len(owner) == num_items:
            hidden = patches[:, None]
        else:
            hidden = patches.new_zeros(num_items, most, num_patches, width)
            hidden = hidden.index_put((owner, slot), patches)
        present = torch.arange(most, device=owner.device)[None, :] < counts[:, None]  # [B, K]
        of_picture = hidden[:, :, 0] if self.pooling == "cls" else hidden[:, :, 1:].mean(2)
        pooled = of_picture.sum(1) / counts.clamp(min=1)[:, None]  # absent slots are zero
        has_picture = (counts > 0)[:, None]
        projected = self.projection(pooled).float() * has_picture  # [B, D]
        norm = projected.detach().norm(dim=-1).sum() / has_picture.sum().clamp(min=1)
        embedding = functional.normalize(projected, dim=-1)
        mask = present[:, :, None].expand(-1, -1, num_patches).reshape(num_items, -1)
        return TowerOutput(hidden.reshape(num_items, -1, width), pooled, mask, embedding, norm)

    def _encode(self, pictures: Tensor) -> Tensor:
        if not len(pictures):
            return self.projection.weight.new_zeros(0, 2, self.projection.in_features)
        pixels = pictures.permute(0, 3, 1, 2).float() / 255
        if tuple(pixels.shape[2:]) != self.size:
            pixels = functional.interpolate(pixels, self.size, mode="bilinear", antialias=True)
        mean, std = (pixels.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        hidden = self.backbone(pixel_values=(pixels - mean) / std).last_hidden_state
        if hidden.dim() == 4:  # a convolutional backbone: [M, H, height, width]
            hidden = hidden.flatten(2).transpose(1, 2)
            hidden = torch.cat([hidden.mean(1, keepdim=True), hidden], dim=1)
        return cast("Tensor", hidden)


def build_image_tower(params: ImageTowerParams, dim: int, height: int, width: int) -> ImageTower:
    """Return an image tower, pretrained or from nothing.

    Args:
        params: The tower's parameters.
        dim: Embedding length.
        height: Height of the stored pictures, in pixels.
        width: Width of the stored pictures, in pixels.

    Raises:
        ParamsError: If the patch does not divide the picture.
    """
    if params.pretrained:
        return _pretrained_tower(params, dim, height, width)
    if height % params.patch or width % params.patch:
        raise ParamsError(
            f"model.image.patch: {params.patch} does not divide pictures of {height} x {width} "
            "pixels. Change it, or ingest.images.height and width."
        )
    config = new_config(
        params.architecture,
        image_size=[height, width],
        patch_size=params.patch,
        hidden_size=params.hidden,
        num_hidden_layers=params.layers,
        num_attention_heads=params.heads,
        intermediate_size=4 * params.hidden,
    )
    backbone = build_from_config(config)
    half = [0.5] * 3
    return ImageTower(
        backbone,
        dim,
        size=(height, width),
        mean=half,
        std=half,
        stem=params.stem,
        pooling=params.pooling,
    )


def _image_size(config: PretrainedConfig) -> tuple[int, int]:
    size = getattr(config, "image_size", 224)
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _pretrained_tower(params: ImageTowerParams, dim: int, height: int, width: int) -> ImageTower:
    """Return a tower with the backbone, size and normalisation of a checkpoint."""
    backbone = load_pretrained(params.pretrained, "vision")
    settings, _ = ImageProcessingMixin.get_image_processor_dict(params.pretrained)
    size = _image_size(cast("PretrainedConfig", backbone.config))
    if size != (height, width):
        logger.warning(
            "pictures packed at %d x %d are stretched to the %d x %d that %s takes; set "
            "ingest.images.height and width in params.yaml to pack them at that size",
            *(height, width, *size, params.pretrained),
        )
    return ImageTower(
        backbone,
        dim,
        size=size,
        mean=settings.get("image_mean", [0.5] * 3),
        std=settings.get("image_std", [0.5] * 3),
        pooling=params.pooling,
    )
