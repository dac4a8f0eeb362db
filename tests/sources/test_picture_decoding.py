"""Pictures of every mode and format, as a browser shows them."""

import struct
from io import BytesIO
from itertools import product
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


@pytest.mark.parametrize("size", [(64, 64), (90, 31), (16, 16), (5, 40)])
@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_picture_is_the_same_with_a_channel_that_hides_nothing(size: tuple[int, int], mode: str):
    image = noise(90).crop((0, 0, *size)).convert(mode).convert("RGB")
    opaque = image.copy()
    opaque.putalpha(255)
    np.testing.assert_array_equal(show(saved(image, "PNG")), show(saved(opaque, "PNG")))


def test_colour_that_stands_for_nothing_is_white():
    image = Image.new("RGB", (32, 32), RED)
    assert centre(saved(image, "PNG", transparency=RED)) == [255, 255, 255]
    assert centre(saved(image, "PNG", transparency=(1, 2, 3))) == list(RED)


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


def cmyk_profile() -> bytes:
    """Return a profile of a press that prints red where others print cyan.

    A table of two points a channel (ICC.1, lut8Type): paper is white, "cyan" ink red, all others
    black.
    """
    red, white, black = (136, 208, 195), (255, 128, 128), (0, 128, 128)  # Lab, 8 bits each
    corners = [white if not any(ink) else red if ink == (1, 0, 0, 0) else black
               for ink in product((0, 1), repeat=4)]  # fmt: skip
    line = bytes(range(256))
    identity = b"".join(struct.pack(">i", 65536 * (n % 4 == 0)) for n in range(9))
    head = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity
    table = head + line * 4 + b"".join(map(bytes, corners)) + line * 3
    d50 = struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    name = b"desc" + bytes(4) + struct.pack(">I", 6) + b"press\0" + bytes(78)
    tags = {b"A2B0": table, b"wtpt": b"XYZ " + bytes(4) + d50, b"desc": name,
            b"cprt": b"text" + bytes(4) + b"none\0"}  # fmt: skip
    index, content = b"", b""
    for tag, data in tags.items():
        place = 128 + 4 + 12 * len(tags) + len(content)
        index += tag + struct.pack(">II", place, len(data))
        content += data + bytes(-len(data) % 4)
    body = struct.pack(">I", len(tags)) + index + content
    header = struct.pack(">I", 128 + len(body)) + bytes(4) + b"\x02\x40\0\0prtrCMYKLab "
    header += bytes(12) + b"acsp" + bytes(28) + d50
    return header.ljust(128, b"\0") + body


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk_goes_by_its_profile(form: str):
    cyan = Image.new("CMYK", (32, 32), (255, 0, 0, 0))
    red, green, blue = centre(saved(cyan, form, icc_profile=cmyk_profile()))
    assert red > 200
    assert max(green, blue) < 60
    paper = Image.new("CMYK", (32, 32), (0, 0, 0, 0))
    assert min(centre(saved(paper, form, icc_profile=cmyk_profile()))) > 250
    # Without one it is the plain arithmetic of inks.
    red, green, blue = centre(saved(cyan, form))
    assert red < 60
    assert min(green, blue) > 200


def test_transparent_picture_goes_by_its_profile_too():
    """A profile whose red is blue: the lower half shows it, the upper half is nothing."""
    profile = swapped_rgb_profile()
    image = Image.new("RGBA", (32, 32), (255, 0, 0, 255))
    image.paste((255, 0, 0, 0), (0, 0, 32, 16))
    pixels = show(saved(image, "PNG", icc_profile=profile))
    assert pixels[3, 8].tolist() == [255, 255, 255]
    assert pixels[12, 8, 2] > 200
    assert pixels[12, 8, 0] < 60
    palette = image.convert("RGB").convert("P")
    assert show(saved(palette, "PNG", icc_profile=profile))[8, 8, 2] > 200


def swapped_rgb_profile() -> bytes:
    """Return sRGB's profile with the tags of red and blue exchanged."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", content[128:132])[0]
    for number in range(count):
        place = 132 + 12 * number
        tag = bytes(content[place : place + 4])
        content[place : place + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(tag, tag)
    for mark in (b"sRGB", "sRGB".encode("utf-16-be")):  # in its name, which would say "no change"
        while (at := content.find(mark)) >= 0:
            content[at : at + len(mark)] = b"x" * len(mark)
    return bytes(content)
