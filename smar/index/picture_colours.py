"""Which colours pictures have, as they are packed: what no training has to find out first.

Of each picture the share of every colour, pixels of the middle counting more. Colours are five
levels each of red, green and blue, as sRGB has them: about even steps to the eye. The square root
makes shares comparable by differences (Hellinger's distance) and fits them into 8 bits.

Sums are of whole numbers, so that a picture's colours do not depend on what is read beside it.
They are kept by the picture's file, so that a next run reads only those that are new.

Shapes: n pictures of H x W pixels, N items, C = 125 colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from smar.content_keys import KeyTable, keys_of
from smar.data.images import ImageStore

_LEVELS = 5  # of red, of green and of blue
_WIDTH = 1 / 3  # of the picture's sides: where the middle counts e times what lies there
_MOST = 255  # what the middle pixel counts, and what a colour that fills a picture is kept as
_BLOCK = 256  # pictures that are looked at at once
_ITEMS = 4096  # whose pictures are added up at once
COLOURS = _LEVELS**3
"""C."""


@dataclass(frozen=True)
class PictureColours:
    """The colours of the pictures of a catalogue.

    Args:
        keys: What the pictures' files are known by, [n, 2].
        roots: 255 times the root of the share of each colour, [n, C].
    """

    keys: NDArray[np.uint64]
    roots: NDArray[np.uint8]

    @classmethod
    def read(cls, images: ImageStore, earlier: "PictureColours | None" = None) -> "PictureColours":
        """Return the colours of all pictures of a store, by image id.

        Args:
            images: The packed pictures.
            earlier: Those of an earlier run at the same size, of which known ones are taken.
        """
        size = f"{images.height}x{images.width}"
        keys = keys_of((sha, size) for sha in images.sha256)
        roots = np.empty((len(keys), COLOURS), np.uint8)
        rows = np.full(len(keys), -1) if earlier is None else KeyTable(earlier.keys).rows_of(keys)
        if earlier is not None:
            roots[rows >= 0] = earlier.roots[rows[rows >= 0]]
        new = np.flatnonzero(rows < 0)
        for start in range(0, len(new), _BLOCK):
            some = new[start : start + _BLOCK]
            roots[some] = colours_of(images.read(some))
        return cls(keys, roots)

    def of_items(self, image_ids: Sequence[Sequence[int]]) -> NDArray[np.uint8]:
        """Return what `roots` are of all pictures of each item together, 0 without any, [N, C].

        Args:
            image_ids: The pictures of each item, [N] of any length.
        """
        found = np.zeros((len(image_ids), COLOURS), np.uint8)
        sizes = np.fromiter(map(len, image_ids), np.int64, len(image_ids))
        pictured = np.flatnonzero(sizes)
        for start in range(0, len(pictured), _ITEMS):
            rows = pictured[start : start + _ITEMS]
            ids = np.concatenate([image_ids[row] for row in rows.tolist()]).astype(np.int64)
            first = np.cumsum(sizes[rows]) - sizes[rows]
            shares = np.add.reduceat(np.square(self.roots[ids].astype(np.float64)), first)
            found[rows] = np.rint(np.sqrt(shares / sizes[rows, None]))
        return found


def colours_of(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 255 times the root of the share of each colour in each picture, [n, C].

    Args:
        pictures: sRGB, [n, H, W, 3].
    """
    size, height, width = pictures.shape[:3]
    level = pictures.astype(np.int64) * _LEVELS // 256
    colour = (level[..., 0] * _LEVELS + level[..., 1]) * _LEVELS + level[..., 2]
    colour = colour.reshape(size, height * width) + np.arange(size)[:, None] * COLOURS
    weight = np.tile(_middle(height, width), size)
    counts = np.bincount(colour.ravel(), weight, size * COLOURS).reshape(size, COLOURS)
    roots: NDArray[np.uint8] = np.rint(_MOST * np.sqrt(counts / counts.sum(1, keepdims=True)))
    return roots.astype(np.uint8)


@cache
def _middle(height: int, width: int) -> NDArray[np.float64]:
    """Return what each pixel counts, whole numbers of 1 at least, [H * W]."""
    down, right = (
        np.square((np.arange(size) - (size - 1) / 2) / (_WIDTH * size)) for size in (height, width)
    )
    return np.maximum(np.rint(_MOST * np.exp(-(down[:, None] + right))), 1).ravel()
