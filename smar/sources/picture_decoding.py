"""Bytes of a picture to pixels, as a browser would show them.

Shapes: H x W pixels, uint8 RGB.
"""

import struct
import warnings
from functools import cache
from io import BytesIO
from typing import Any, cast

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

# What browsers and phones show. Pillow reads more, and some of it (EPS) by starting programs.
_FORMATS = (
    "JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "ICO", "JPEG2000",
)  # fmt: skip
_CUT = "is cut short"
_GREY = 128  # what stands for the lines of a JPEG that are not there
_MIN_THERE = 0.5  # of the lines of a picture cut short
_DEEP = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_SRGB = b"s\0R\0G\0B", b"sRGB"  # in the name of a profile that changes nothing


class PictureError(Exception):
    """The bytes are no picture that can be used; the text is the reason."""


class PictureCutError(PictureError):
    """The bytes end before the picture does; `decode` may be asked to take what is there."""


@cache
def _formats() -> list[str]:
    """Return the formats that this build of Pillow has."""
    pillow_heif.register_heif_opener()
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def decode(
    content: bytes, height: int, width: int, max_pixels: int, *, allow_cut: bool = False
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return the whole picture on white, upright, scaled to fit, [height, width, 3], and its size.

    Of an animation the first frame counts. Colours go by the picture's profile; more than 8 bits
    are scaled by their range.

    Args:
        content: The file.
        height: In pixels.
        width: In pixels.
        max_pixels: A picture with more is refused before it is decoded.
        allow_cut: Take a JPEG or PNG that ends too soon, if half of its lines are there. The switch
            for this is one of the whole process: no other thread may decode meanwhile.

    Raises:
        PictureCutError: If it ends too soon and `allow_cut` is False.
        PictureError: If it cannot be used.
    """
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        ImageFile.LOAD_TRUNCATED_IMAGES = allow_cut or before
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(BytesIO(content), formats=_formats())
            size = image.size
            _check_size(size, max_pixels)
            pixels = _letterbox(image, height, width)
    except Image.DecompressionBombError as error:
        raise PictureError(f"has more than {max_pixels} pixels") from error
    except UnidentifiedImageError as error:
        is_svg = b"<svg" in content[:2000].lower()
        raise PictureError("is SVG; save it as PNG" if is_svg else "is not a picture") from error
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, LookupError, TypeError,
            ArithmeticError, RuntimeError, MemoryError) as error:  # fmt: skip
        kind = PictureCutError if "truncated" in str(error) and not allow_cut else PictureError
        raise kind("is corrupt") from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
    return pixels, size


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise PictureError(f"has more than {max_pixels} pixels")
    if max(size) <= 2:
        raise PictureError(f"is {size[0]} x {size[1]} pixels")


def _letterbox(image: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    if image.format == "JPEG":
        image.draft("RGB", (2 * width, 2 * height))
    image.load()
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        _check_lines(image)
    upright = _to_srgb(ImageOps.exif_transpose(image))
    scale = min(width / upright.width, height / upright.height)
    size = (max(1, round(upright.width * scale)), max(1, round(upright.height * scale)))
    if size != upright.size:
        upright = upright.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    canvas = Image.new(upright.mode, (width, height), (255,) * len(upright.mode))
    place = ((width - size[0]) // 2, (height - size[1]) // 2)
    if upright.mode == "RGBA":
        canvas.alpha_composite(upright, place)
        return np.asarray(canvas.convert("RGB"))
    canvas.paste(upright, place)
    return np.asarray(canvas)


def _check_lines(image: Image.Image) -> None:
    """Raise if less than half of a picture's lines are there."""
    lines = np.asarray(image.convert("RGB")).reshape(image.height, -1)
    empty = (lines == lines[:, :1]).all(1) & np.isin(lines[:, 0], (0, _GREY))
    num_empty = int(np.argmin(empty[::-1])) if not empty.all() else len(empty)
    if num_empty > (1 - _MIN_THERE) * len(lines):
        raise PictureError(f"{_CUT}: less than half of it is there")


def _to_srgb(image: Image.Image) -> Image.Image:
    """Return a picture in RGB, or in RGBA where something may show through."""
    if image.mode in _DEEP:
        return _to_eight_bits(image).convert("RGBA")
    profile = image.info.get("icc_profile")
    if image.mode == "LAB":
        profile = (
            profile
            or cast("Any", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))).tobytes()
        )
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    is_plain = profile is None or any(name in profile[:4096] for name in _SRGB)
    alpha = image.getchannel("A") if image.mode in {"RGBA", "LA"} else None
    if alpha is not None:
        image = image.convert(image.mode[:-1])
    if profile and not is_plain and image.mode in {"RGB", "CMYK", "LAB", "L"}:
        try:
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(BytesIO(profile)), _srgb(), outputMode="RGB"
            )
        except (
            ImageCms.PyCMSError,
            OSError,
        ):  # a profile of another kind of picture, or a broken one
            converted = None
        if converted is not None:
            image = converted
    image = image.convert("RGBA" if alpha or image.has_transparency_data else "RGB")
    if alpha is not None:
        image.putalpha(alpha)
    return image


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Return a grey picture of 16 or 32 bits or floats as 8 bits, scaled by its range.

    The range of integers is the one of the bits that they use: 10, 12, 14 or 16 in TIFF, 16 in PNG;
    that of floats is 0 to 1, or from the least to the greatest where they go beyond.
    """
    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    if image.mode == "F":
        low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
    elif low >= 0 and high < 2**16:
        bits = (
            16
            if image.format in {"PNG", "JPEG2000"}
            else max(8, int(np.ceil(np.log2(high + 1) / 2)) * 2)
        )
        low, high = 0.0, 2.0**bits - 1
    scaled = (values - low) / max(high - low, 1e-12) * 255
    return Image.fromarray(scaled.round().clip(0, 255).astype(np.uint8))
