"""The colours of pictures: closed forms, a slow oracle, and what is looked at again."""

import math

import numpy as np
import pyarrow as pa
import pytest

from smar.content_keys import keys_of, keys_of_rows
from smar.data.images import ImageStore
from smar.index import picture_colours
from smar.index.picture_colours import COLOURS, PictureColours, colours_of


def number(red: int, green: int, blue: int) -> int:
    return sum(value * 5 // 256 * 5**place for place, value in enumerate((blue, green, red)))


def slowly(picture: np.ndarray) -> np.ndarray:
    height, width, _ = picture.shape
    counts = np.zeros(COLOURS)
    for row in range(height):
        for column in range(width):
            down = (row - (height - 1) / 2) / (height / 3)
            right = (column - (width - 1) / 2) / (width / 3)
            weight = max(1, round(255 * math.exp(-(down**2 + right**2))))
            counts[number(*map(int, picture[row, column]))] += weight
    return np.rint(255 * np.sqrt(counts / counts.sum()))


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (51, 52, 204)])
def test_a_picture_of_one_colour_is_all_of_it(colour: tuple[int, int, int]):
    found = colours_of(np.full((1, 4, 6, 3), colour, np.uint8))[0]
    assert found[number(*colour)] == 255
    assert found.sum() == 255


def test_colours_are_those_of_every_pixel_by_its_place():
    pictures = np.random.default_rng(0).integers(0, 256, (5, 8, 6, 3), dtype=np.uint8)
    assert (colours_of(pictures) == [slowly(picture) for picture in pictures]).all()


def test_the_middle_counts_more_than_the_border():
    picture = np.zeros((1, 9, 9, 3), np.uint8)
    picture[0, 3:6, 3:6] = 255  # a ninth of the pixels
    share = (colours_of(picture)[0, number(255, 255, 255)] / 255) ** 2
    assert share > 2 / 9


def test_what_is_beside_a_picture_changes_nothing():
    pictures = np.random.default_rng(0).integers(0, 256, (7, 8, 6, 3), dtype=np.uint8)
    together = colours_of(pictures)
    for place in range(7):
        assert (colours_of(pictures[place : place + 1])[0] == together[place]).all()


def test_an_item_has_the_colours_of_all_its_pictures(tiny_images: ImageStore):
    colours = PictureColours.read(tiny_images)
    found = colours.of_items([[3], [], [3, 3], [3, 5]])
    assert (found[0] == colours.roots[3]).all()
    assert not found[1].any()
    assert (found[2] == found[0]).all()
    shares = (np.square(colours.roots[[3, 5]].astype(float))).mean(0)
    assert (found[3] == np.rint(np.sqrt(shares))).all()


def test_items_are_added_up_in_parts(tiny_images: ImageStore, monkeypatch: pytest.MonkeyPatch):
    ids = [[1, 2], [], [3], [4, 5, 6], [7]]
    colours = PictureColours.read(tiny_images)
    whole = colours.of_items(ids)
    monkeypatch.setattr(picture_colours, "_ITEMS", 2)
    assert (colours.of_items(ids) == whole).all()


def test_only_new_pictures_are_looked_at(tiny_images: ImageStore, monkeypatch: pytest.MonkeyPatch):
    whole = PictureColours.read(tiny_images)
    kept = PictureColours(*(part[::-1][:17] for part in vars(whole).values()))
    read, seen = tiny_images.read, []

    def spied(ids: np.ndarray) -> np.ndarray:
        seen.extend(ids.tolist())
        return read(ids)

    monkeypatch.setattr(tiny_images, "read", spied)
    again = PictureColours.read(tiny_images, kept)
    assert seen == [0, 1, 2]
    assert (again.roots == whole.roots).all()
    assert (again.keys == whole.keys).all()
    assert (again.looks == whole.looks).all()


def test_pictures_are_known_by_their_sha_and_their_size(tiny_images: ImageStore):
    keys = PictureColours.read(tiny_images).keys
    size = keys_of([[f"{tiny_images.height}x{tiny_images.width}"]])[0]
    halves = [bytes.fromhex(sha)[:16] for sha in tiny_images.sha256]
    expected = [np.frombuffer(half, np.uint64) ^ size for half in halves]
    np.testing.assert_array_equal(keys, expected)
    part = tiny_images.table.slice(3, 5)  # what does not begin where its memory does
    some = ImageStore(tiny_images.shards, part, tiny_images.height, tiny_images.width)
    np.testing.assert_array_equal(picture_colours._keys_of(some), keys[3:8])


def test_looks_of_items_are_those_of_their_colours(tiny_images: ImageStore):
    colours = PictureColours.read(tiny_images)
    found, looks = colours.of_lists(pa.array([[3], [], [3, 5], [7]], pa.list_(pa.int64())))
    np.testing.assert_array_equal(looks, keys_of_rows(found)[:, 0])


def test_a_picture_of_another_size_is_another_picture(
    tiny_images: ImageStore, monkeypatch: pytest.MonkeyPatch
):
    whole = PictureColours.read(tiny_images)
    monkeypatch.setattr(tiny_images, "width", 15)
    monkeypatch.setattr(tiny_images, "read", lambda ids: np.zeros((len(ids), 16, 15, 3), np.uint8))
    again = PictureColours.read(tiny_images, whole)
    assert (again.roots[:, 0] == 255).all()
