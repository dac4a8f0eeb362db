"""The item image tower: any number of pictures per item.

Shapes: M pictures, B items, P patches a picture, H hidden width, D embedding length.
"""

import inspect
import logging
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from smar.errors import ParamsError
from smar.models.backbone import (
    build_from_config,
    family_for,
    head_settings,
    head_width,
    hidden_size,
    load_pretrained,
    new_config,
)
from smar.models.preprocessing import PictureSettings
from smar.models.pretrained import Checkpoint
from smar.models.projection import new_projection
from smar.models.stem import set_conv_stem
from smar.models.text import TowerOutput
from smar.params import ImageTowerParams

logger = logging.getLogger(__name__)

_MODES = {0: "nearest", 1: "bicubic", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers


class ImageTower(nn.Module):
    """Pictures -> vision backbone -> one state each -> mean of them -> head -> linear -> unit norm.

    All patches of all pictures of an item stand side by side in `hidden`; pictures carry no order,
    so neither do the results. An item without a picture has an all-False mask and a zero embedding.

    Args:
        backbone: A `transformers` vision encoder.
        dim: Embedding length D.
        preprocessing: What is done to a picture before the backbone sees it.
        stem: "patch" keeps the backbone's own patch projection, "conv" replaces it.
        pooling: "cls" takes each picture's first state, "mean" the mean over its patches, "own"
            what the backbone pools itself.
        prefix: States of the backbone before those of patches: class token and registers.
        head: Layers that a checkpoint has behind the pooled state; None for none.
        source: The pretrained model that it starts from, "" for none.
    """

    def __init__(
        self,
        backbone: nn.Module,
        dim: int,
        *,
        preprocessing: PictureSettings,
        stem: str = "patch",
        pooling: str = "cls",
        prefix: int = 1,
        head: nn.Sequential | None = None,
        source: str = "",
    ) -> None:
        super().__init__()
        if stem == "conv":
            set_conv_stem(backbone)
        self.backbone = backbone
        self.stem, self.pooling, self.prefix, self.source = stem, pooling, prefix, source
        self.preprocessing = preprocessing
        self.head = head if head is not None else nn.Sequential()
        self.width = hidden_size(backbone)
        own_width = head_width(self.head, self.width)
        self.projection = new_projection(own_width, dim, 1, keeps=bool(source))
        self._states = family_for(backbone.config).states
        self._other_size = _takes_other_sizes(backbone, self.size)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that the backbone sees, in pixels."""
        return self.preprocessing.size

    def train(self, mode: bool = True) -> "ImageTower":
        """Set the mode of training; the statistics of a pretrained network's batches stay fixed.

        A picture's embedding would depend on its neighbours otherwise.
        """
        super().train(mode)
        for module in self.backbone.modules() if self.source else ():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def settings(self) -> dict[str, Any]:
        """Return the preprocessing that has to travel with the weights."""
        return {
            **self.preprocessing.as_dict(),
            "stem": self.stem,
            "pooling": self.pooling,
            "prefix": self.prefix,
            "head": head_settings(self.head),
            "source": self.source,
        }

    def forward(self, pictures: Tensor, owner: Tensor, num_items: int) -> TowerOutput:
        """Return hidden states [B, K * P, H] and embeddings [B, D] of items.

        Args:
            pictures: uint8, [M, height, width, 3].
            owner: Row of the item each picture belongs to, ascending, [M].
            num_items: B.
        """
        patches, of_picture = self._encode(pictures)  # [M, P, H], [M, H]
        num_patches, width = patches.shape[1], patches.shape[2]
        counts = torch.bincount(owner, minlength=num_items)  # [B]
        most = max(1, int(counts.max())) if len(owner) else 1
        first = torch.cumsum(counts, 0) - counts
        slot = torch.arange(len(owner), device=owner.device) - first[owner]  # [M]
        if most == 1 and len(owner) == num_items:
            hidden, pooled = patches[:, None], of_picture[:, None]
        else:
            hidden = patches.new_zeros(num_items, most, num_patches, width)
            hidden = hidden.index_put((owner, slot), patches)
            pooled = of_picture.new_zeros(num_items, most, width)
            pooled = pooled.index_put((owner, slot), of_picture)
        present = torch.arange(most, device=owner.device)[None, :] < counts[:, None]  # [B, K]
        pooled = pooled.sum(1) / counts.clamp(min=1)[:, None]  # absent slots are zero
        has_picture = (counts > 0)[:, None]
        projected = self.projection(self.head(pooled)).float() * has_picture  # [B, D]
        norm = projected.detach().norm(dim=-1).sum() / has_picture.sum().clamp(min=1)
        embedding = functional.normalize(projected, dim=-1)
        mask = present[:, :, None].expand(-1, -1, num_patches).reshape(num_items, -1)
        return TowerOutput(hidden.reshape(num_items, -1, width), pooled, mask, embedding, norm)

    def _encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states of pictures, class token first if there is one, and one for each."""
        if not len(pictures):
            nothing = self.projection.weight.new_zeros(0, 2, self.width)
            return nothing, nothing[:, 0]
        output = self.backbone(pixel_values=self._pixels(pictures), **self._other_size)
        states = output.last_hidden_state
        if states.dim() == 4:  # a map of features: [M, H, height, width]
            states = states.flatten(2).transpose(1, 2)
        states = self._states(self.backbone, states)
        patches = states[:, self.prefix :]
        if self.pooling == "own":
            pooled = output.pooler_output.flatten(1)
        else:
            pooled = states[:, 0] if self.pooling == "cls" else patches.mean(1)
        if self.prefix > 1:  # registers belong to no place
            states = torch.cat([states[:, :1], patches], dim=1)
        return states, pooled

    def _pixels(self, pictures: Tensor) -> Tensor:
        """Return normalised pictures of the backbone's size, [M, 3, h, w]; none is stretched."""
        pixels = pictures.permute(0, 3, 1, 2).float() / 255
        if tuple(pixels.shape[2:]) != self.size:
            pixels = _fitted(pixels, self.size, _MODES[self.preprocessing.resample])
        mean, std = (
            pixels.new_tensor(values)[:, None, None]
            for values in (self.preprocessing.mean, self.preprocessing.std)
        )
        return (pixels - mean) / std


def build_image_tower(
    params: ImageTowerParams,
    dim: int,
    height: int,
    width: int,
    checkpoint: Checkpoint | None = None,
) -> ImageTower:
    """Return an image tower, from a pretrained model if one is given, else from nothing.

    Args:
        params: The tower's parameters.
        dim: Embedding length.
        height: Height of the stored pictures, in pixels.
        width: Width of the stored pictures, in pixels.
        checkpoint: The pretrained model.

    Raises:
        ParamsError: If the patch does not divide the picture.
    """
    if checkpoint:
        return _pretrained_tower(params, dim, (height, width), checkpoint)
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
    read = family_for(config).pictures
    return ImageTower(
        backbone,
        dim,
        preprocessing=PictureSettings((height, width)),
        stem=params.stem,
        pooling="mean" if params.pooling == "auto" else params.pooling,
        prefix=read(config).prefix if read else 1,
    )


def _pretrained_tower(
    params: ImageTowerParams, dim: int, stored: tuple[int, int], checkpoint: Checkpoint
) -> ImageTower:
    """Return a tower with the backbone and the preprocessing of a checkpoint."""
    backbone, head = load_pretrained(checkpoint, "vision")
    settings = checkpoint.picture_settings()
    if settings.size != stored:
        logger.warning(
            "pictures packed at %d x %d are fitted into the %d x %d that %s takes, with white "
            "beside them; set ingest.images.height and width to pack them at that size",
            *(*stored, *settings.size, checkpoint.name),
        )
    return ImageTower(
        backbone,
        dim,
        preprocessing=settings,
        pooling=checkpoint.picture_pooling(params.pooling),
        prefix=checkpoint.picture_facts().prefix,
        head=head,
        source=checkpoint.name,
    )


def _fitted(pixels: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """Return pictures [M, 3, h, w] in [0, 1] scaled into a size, white where they do not reach."""
    height, width = pixels.shape[2:]
    scale = min(size[0] / height, size[1] / width)
    inner = max(1, round(height * scale)), max(1, round(width * scale))
    smooth = {"antialias": True} if mode != "nearest" else {}
    pixels = functional.interpolate(pixels, inner, mode=mode, **smooth).clamp(0, 1)
    down, right = size[0] - inner[0], size[1] - inner[1]
    margins = (right // 2, right - right // 2, down // 2, down - down // 2)
    return functional.pad(pixels, margins, value=1.0)


def _takes_other_sizes(backbone: nn.Module, size: tuple[int, int]) -> dict[str, bool]:
    """Return the argument that fits a table of positions to pictures of another size."""
    config: Any = backbone.config
    edge = getattr(config, "image_size", None)
    own = (edge, edge) if isinstance(edge, int) else edge and tuple(edge)
    takes = "interpolate_pos_encoding" in inspect.signature(backbone.forward).parameters
    return {"interpolate_pos_encoding": True} if takes and own and own != size else {}
