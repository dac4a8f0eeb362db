"""The colours of pictures: closed forms, a slow oracle, and what is looked at again."""

import math

import numpy as np
import pytest

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
    kept = PictureColours(whole.keys[::-1][:17], whole.roots[::-1][:17])
    read, seen = tiny_images.read, []

    def spied(ids: np.ndarray) -> np.ndarray:
        seen.extend(ids.tolist())
        return read(ids)

    monkeypatch.setattr(tiny_images, "read", spied)
    again = PictureColours.read(tiny_images, kept)
    assert seen == [0, 1, 2]
    assert (again.roots == whole.roots).all()
    assert (again.keys == whole.keys).all()


def test_a_picture_of_another_size_is_another_picture(
    tiny_images: ImageStore, monkeypatch: pytest.MonkeyPatch
):
    whole = PictureColours.read(tiny_images)
    monkeypatch.setattr(tiny_images, "width", 15)
    monkeypatch.setattr(tiny_images, "read", lambda ids: np.zeros((len(ids), 16, 15, 3), np.uint8))
    again = PictureColours.read(tiny_images, whole)
    assert (again.roots[:, 0] == 255).all()
