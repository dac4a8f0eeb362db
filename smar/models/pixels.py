"""Stored pictures as a backbone sees them: its size, means and standard deviations.

Shapes: M pictures.
"""

import inspect
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from smar.models.preprocessing import PictureSettings

_MODES = {0: "nearest", 1: "bicubic", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def pixels_of(pictures: Tensor, settings: PictureSettings) -> Tensor:
    """Return pictures uint8 [M, height, width, 3] in [0, 1] at a model's size, [M, 3, h, w].

    None is stretched.
    """
    pixels = pictures.permute(0, 3, 1, 2) / 255
    if tuple(pixels.shape[2:]) != settings.size:
        pixels = _fitted(pixels, settings.size, _MODES[settings.resample])
    return pixels


def normed(pixels: Tensor, settings: PictureSettings) -> Tensor:
    """Return pixels [M, 3, h, w] in [0, 1] by a model's means and standard deviations.

    A line of pixels is taken at once: loops over three colours are ten times slower.
    """
    width = pixels.shape[3]
    mean, std = (
        pixels.new_tensor(values).repeat(width) for values in (settings.mean, settings.std)
    )
    lines = pixels.permute(0, 2, 3, 1).flatten(2)  # [M, h, w * 3]
    return (lines - mean).div_(std).view(*lines.shape[:2], width, 3).permute(0, 3, 1, 2)


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


def takes_other_sizes(backbone: nn.Module, size: tuple[int, int]) -> dict[str, bool]:
    """Return the argument that fits a table of positions to pictures of another size."""
    config: Any = backbone.config
    edge = getattr(config, "image_size", None)
    own = (edge, edge) if isinstance(edge, int) else edge and tuple(edge)
    takes = "interpolate_pos_encoding" in inspect.signature(backbone.forward).parameters
    return {"interpolate_pos_encoding": True} if takes and own and own != size else {}
