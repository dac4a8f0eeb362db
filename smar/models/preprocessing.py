"""How pictures become a model's numbers: size, means and interpolation of its checkpoint."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from smar.models.folder_files import read_object

_CHANNELS = 3
_BILINEAR = 2  # as Pillow counts interpolations; transformers stores the number


@dataclass(frozen=True)
class PictureSettings:
    """What has to be done to a picture before a model sees it.

    Args:
        size: Height and width, in pixels.
        mean: Channel means, for values in [0, 1].
        std: Channel standard deviations of the same.
        resample: Interpolation as Pillow counts: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic.
    """

    size: tuple[int, int]
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    resample: int = _BILINEAR

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the settings."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Return settings from plain JSON types, as `as_dict` gives them."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in content.items()
        }
        return cls(**plain)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings in plain JSON types."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def read_picture_settings(folder: Path, image_size: Any) -> PictureSettings:
    """Return the settings of a checkpoint.

    Where a processor scales the shorter side and cuts out the middle, the cut is the size; smar
    fits the whole picture into it, for a cut would take a part of the item away.

    Args:
        folder: The checkpoint.
        image_size: What its config says, where the processor names no size.

    Raises:
        ValueError: If there is no file of a processor, it names no size, or norms by what is no
            mean and deviation of three channels.
    """
    content = _content(folder)
    size = content.get("size")
    if content.get("do_center_crop") and content.get("crop_size"):
        size = content["crop_size"]
    normed = content.get("do_normalize", True)
    return PictureSettings(
        size=_size(size if size is not None else image_size, image_size),
        mean=_channels(content, "image_mean", -math.inf) if normed else (0.0,) * 3,
        std=_channels(content, "image_std", 0.0) if normed else (1.0,) * 3,
        resample=int(content.get("resample", _BILINEAR)),
    )


def _channels(content: dict[str, Any], name: str, above: float) -> tuple[float, ...]:
    """Return a number of each channel, .5 where a processor says nothing."""
    found = content.get(name) or [0.5] * _CHANNELS
    numbers = [each for each in found if isinstance(each, int | float) and each > above]
    if not isinstance(found, list) or len(numbers) != len(found) or len(found) != _CHANNELS:
        raise ValueError(
            f"its processor's {name} is {found!r}; expected three numbers"
            f"{' above 0' if above == 0 else ''}"
        )
    return tuple(map(float, numbers))


def _content(folder: Path) -> dict[str, Any]:
    for name in ("preprocessor_config.json", "processor_config.json"):
        file = folder / name
        if file.is_file():
            content = read_object(file)
            inner = content.get("image_processor", content)
            if isinstance(inner, dict):
                return inner
    raise ValueError(
        "preprocessor_config.json is missing: nothing says which size, means and interpolation its "
        "pictures had. Copy it from where the model comes from"
    )


def _size(size: Any, image_size: Any) -> tuple[int, int]:
    if isinstance(size, dict):
        if "height" in size:
            return int(size["height"]), int(size["width"])
        edge = size.get("shortest_edge", size.get("longest_edge"))
        if edge is not None and isinstance(image_size, int) and edge != image_size:
            edge = min(int(edge), image_size)  # the rest is cut off by a crop that is not named
        size = edge
    if isinstance(size, list | tuple) and len(size) == 2:
        return int(size[0]), int(size[1])
    if isinstance(size, int):
        return size, size
    raise ValueError(
        f"preprocessor_config.json names no size that smar reads ({size!r}); expected height and "
        "width, shortest_edge, or crop_size"
    )
