"""Pictures of every mode and format, as a browser shows them."""

from io import BytesIO
from typing import Any

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from smar.sources.picture_decoding import PictureCutError, PictureError, decode

RED = (200, 30, 30)


def saved(image: Image.Image, form: str, **settings: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **settings)
    return buffer.getvalue()


def show(content: bytes, **settings: bool) -> np.ndarray:
    return decode(content, 16, 16, 10**6, **settings)[0]


def centre(content: bytes) -> list[int]:
    return show(content)[8, 8].astype(int).tolist()


def noise(side: int = 64) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 255, (side, side, 3))
    return Image.fromarray(values.astype(np.uint8))


@pytest.mark.parametrize(
    "form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "ICO", "JPEG2000"]
)
def test_format_is_read(form: str):
    content = saved(Image.new("RGB", (32, 32), RED), form)
    assert np.abs(np.array(centre(content)) - RED).max() < 12


def test_heic_is_read():
    pillow_heif.register_heif_opener()
    content = saved(Image.new("RGB", (64, 64), RED), "HEIF")
    assert np.abs(np.array(centre(content)) - RED).max() < 12


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_first_frame_of_an_animation_counts(form: str):
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, (0, 0, 255))]
    content = saved(frames[0], form, save_all=True, append_images=frames[1:], duration=50)
    assert np.abs(np.array(centre(content)) - RED).max() < 12


def test_first_picture_of_a_multi_picture_jpeg_counts():
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, (0, 0, 255))]
    content = saved(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert np.abs(np.array(centre(content)) - RED).max() < 12


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk_without_a_profile_is_read(form: str):
    content = saved(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), form)
    red, green, blue = centre(content)
    assert red > 200
    assert max(green, blue) < 60


def test_lab_is_converted_by_profile():
    rgb = Image.new("RGB", (32, 32), RED)
    lab = ImageCms.profileToProfile(
        rgb, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert np.abs(np.array(centre(saved(lab, "TIFF"))) - RED).max() < 8


def test_a_profile_that_cannot_be_used_changes_nothing():
    content = saved(Image.new("RGB", (32, 32), RED), "PNG", icc_profile=b"no profile at all")
    assert centre(content) == list(RED)


@pytest.mark.parametrize(
    ("top", "dtype", "form"),
    [(65535, np.uint16, "PNG"), (65535, np.uint16, "TIFF"), (4095, np.uint16, "TIFF"),
     (1.0, np.float32, "TIFF"), (300.0, np.float32, "TIFF"), (65535, np.int32, "TIFF")],
)  # fmt: skip
def test_deep_pictures_are_scaled_by_their_range(top: float, dtype: type, form: str):
    ramp = np.tile(np.linspace(0, top, 64), (64, 1)).astype(dtype)
    row = show(saved(Image.fromarray(ramp), form))[8, :, 0].astype(int)
    assert row[0] < 20
    assert row[-1] > 235
    assert (np.diff(row) > 0).all()
    assert abs(row[8] - 128) < 16


def test_jpeg_cut_short_is_read_if_half_of_it_is_there():
    content = saved(noise(), "JPEG", quality=90)
    cut = content[: int(len(content) * 0.7)]
    with pytest.raises(PictureCutError):
        show(cut)
    whole, part = show(content), show(cut, allow_cut=True)
    assert np.abs(whole[:8].astype(int) - part[:8]).max() < 16
    with pytest.raises(PictureError, match="less than half of it is there"):
        show(content[: int(len(content) * 0.3)], allow_cut=True)
    with pytest.raises(PictureCutError):  # the leave does not outlive its call
        show(cut)


def test_transparent_and_palette_pictures_stand_on_white():
    clear = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    assert centre(saved(clear, "PNG")) == [255, 255, 255]
    assert centre(saved(clear.convert("LA"), "PNG")) == [255, 255, 255]
    palette = Image.new("P", (32, 32), 1)
    palette.putpalette([0, 0, 0, *RED])
    assert centre(saved(palette, "PNG", transparency=0)) == list(RED)
    assert centre(saved(Image.new("1", (32, 32), 1), "PNG")) == [255, 255, 255]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a picture"),
        (b"<!DOCTYPE html><html>", "is not a picture"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "is SVG; save it as PNG"),
        (saved(Image.new("RGB", (1, 1)), "GIF"), "is 1 x 1 pixels"),
        (saved(Image.new("RGB", (2000, 2000)), "PNG"), "has more than 1000000 pixels"),
        (saved(noise(), "PNG")[:-3000], "is corrupt"),
    ],
)
def test_what_is_no_picture_has_a_reason(content: bytes, reason: str):
    with pytest.raises(PictureError) as error:
        show(content)
    assert str(error.value) == reason


SAMPLES = [saved(noise(24), form) for form in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255))))
def test_damaged_bytes_are_a_picture_or_have_a_reason(sample: bytes, damage):
    content = bytearray(sample)
    for place, value in damage:
        content[int(place * (len(content) - 1))] = value
    try:
        shape = show(bytes(content)).shape
    except PictureError:
        return
    assert shape == (16, 16, 3)
