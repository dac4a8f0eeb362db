"""The item image tower: any number of pictures per item.

Shapes: M pictures, B items, P patches a picture, H hidden width, D embedding length.
"""

import logging
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from smar.models.backbone import (
    family_for,
    head_settings,
    head_width,
    hidden_size,
)
from smar.models.origin import Origin, held
from smar.models.pixels import normed, pixels_of, takes_other_sizes
from smar.models.preprocessing import PictureSettings
from smar.models.projection import new_projection
from smar.models.stem import set_conv_stem
from smar.models.text import TowerOutput

logger = logging.getLogger(__name__)


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
        origin: Where it comes from; None for nothing.
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
        origin: Origin | None = None,
    ) -> None:
        super().__init__()
        if stem == "conv":
            set_conv_stem(backbone)
        self.backbone = backbone
        self.stem, self.pooling, self.prefix = stem, pooling, prefix
        self.origin = origin or Origin()
        self.preprocessing = preprocessing
        self.head = head if head is not None else nn.Sequential()
        self.width = hidden_size(backbone)
        own_width = head_width(self.head, self.width)
        self.projection = new_projection(own_width, dim, 1, keeps=bool(self.source))
        self._states = family_for(backbone.config).states
        self._other_size = takes_other_sizes(backbone, self.size)

    @property
    def source(self) -> str:
        """The pretrained model that it starts from, "" for none."""
        return self.origin.source

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
            "origin": asdict(self.origin),
        }

    def held_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters that no training moves."""
        return held(self.backbone, self.head, self.origin)

    def pretrained_parameters(self) -> Iterator[nn.Parameter]:
        """Yield what came with a pretrained model, its projection included."""
        return self.parameters() if self.source else iter(())

    def aligned_parameters(self) -> Iterator[nn.Parameter]:
        """Yield what maps pictures into one space with words where they start aligned."""
        return self.projection.parameters()

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
            pooled = of_picture.new_zeros(num_items, most, of_picture.shape[1])
            pooled = pooled.index_put((owner, slot), of_picture)
        present = torch.arange(most, device=owner.device)[None, :] < counts[:, None]  # [B, K]
        pooled = pooled.sum(1) / counts.clamp(min=1)[:, None]  # absent slots are zero
        has_picture = (counts > 0)[:, None]
        pooled, projected = self._project(pooled)
        projected = projected.float() * has_picture  # [B, D]
        norm = projected.detach().norm(dim=-1).sum() / has_picture.sum().clamp(min=1)
        embedding = functional.normalize(projected, dim=-1)
        mask = present[:, :, None].expand(-1, -1, num_patches).reshape(num_items, -1)
        return TowerOutput(hidden.reshape(num_items, -1, width), pooled, mask, embedding, norm)

    def _project(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states [B, H] that stand for items, and their embeddings before scaling."""
        return pooled, self.projection(self.head(pooled))

    def _encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states of pictures, class token first if there is one, and one for each."""
        if not len(pictures):
            nothing = self.projection.weight.new_zeros(0, 2, self.width)
            return nothing, nothing[:, 0]
        pixels = normed(pixels_of(pictures, self.preprocessing), self.preprocessing)
        states, pooled = self._read(self.backbone(pixel_values=pixels, **self._other_size))
        if self.prefix > 1:  # registers belong to no place
            states = torch.cat([states[:, :1], states[:, self.prefix :]], dim=1)
        return states, pooled

    def _read(self, output: Any) -> tuple[Tensor, Tensor]:
        """Return all states of a backbone's output, [M, P, H], and the pooled ones, [M, H]."""
        states = output.last_hidden_state
        if states.dim() == 4:  # a map of features: [M, H, height, width]
            states = states.flatten(2).transpose(1, 2)
        states = self._states(self.backbone, states)
        if self.pooling == "own":
            return states, output.pooler_output.flatten(1)
        return states, states[:, 0] if self.pooling == "cls" else states[:, self.prefix :].mean(1)
