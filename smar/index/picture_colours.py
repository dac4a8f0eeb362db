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
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.content_keys import KeyTable, keys_of, keys_of_rows
from smar.data.arrow_numbers import numbers_of
from smar.data.images import ImageStore
from smar.data.membership import in_one_piece

_LEVELS = 5  # of red, of green and of blue
_WIDTH = 1 / 3  # of the picture's sides: where the middle counts e times what lies there
_MOST = 255  # what the middle pixel counts, and what a colour that fills a picture is kept as
_BLOCK = 256  # pictures that are looked at at once
_ITEMS = 4096  # whose pictures are added up at once
_DIGITS, _BYTES = 64, 16  # of a SHA-256, and of a key
_VALUES = np.zeros(256, np.uint8)  # of hexadecimal digits
_VALUES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
COLOURS = _LEVELS**3
"""C."""
_PARTS = [(np.arange(256) * _LEVELS // 256 * _LEVELS**n).astype(np.uint8) for n in (2, 1, 0)]


@dataclass(frozen=True)
class PictureColours:
    """The colours of the pictures of a catalogue.

    Args:
        keys: What the pictures' files are known by, [n, 2].
        roots: 255 times the root of the share of each colour, [n, C].
        looks: What these are known by (`looks_of`), [n].
    """

    keys: NDArray[np.uint64]
    roots: NDArray[np.uint8]
    looks: NDArray[np.uint64]

    @classmethod
    def read(cls, images: ImageStore, earlier: "PictureColours | None" = None) -> "PictureColours":
        """Return the colours of all pictures of a store, by image id.

        Args:
            images: The packed pictures.
            earlier: Those of an earlier run at the same size, of which known ones are taken.
        """
        keys = _keys_of(images)
        roots, looks = np.empty((len(keys), COLOURS), np.uint8), np.empty(len(keys), np.uint64)
        rows = np.full(len(keys), -1) if earlier is None else KeyTable(earlier.keys).rows_of(keys)
        if earlier is not None:
            for now, before in ((roots, earlier.roots), (looks, earlier.looks)):
                now[rows >= 0] = before[rows[rows >= 0]]
        new = np.flatnonzero(rows < 0)
        for start in range(0, len(new), _BLOCK):
            some = new[start : start + _BLOCK]
            roots[some] = colours_of(images.read(some))
            looks[some] = looks_of(roots[some])
        return cls(keys, roots, looks)

    def of_items(self, image_ids: Sequence[Sequence[int]]) -> NDArray[np.uint8]:
        """Return what `roots` are of all pictures of each item together, 0 without any, [N, C].

        Args:
            image_ids: The pictures of each item, [N] of any length.
        """
        return self.of_lists(pa.array(image_ids, pa.list_(pa.int64())))[0]

    def of_lists(
        self, image_ids: pa.Array | pa.ChunkedArray
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
        """Return what `of_items` does of the pictures that a table gives items, and their looks.

        Args:
            image_ids: A list of pictures for each item, [N].

        Returns:
            Colours [N, C] and what these are known by, [N].
        """
        lists = in_one_piece(image_ids)
        sizes = numbers_of(pc.list_value_length(lists)).astype(np.int64)
        ids = numbers_of(lists.flatten()).astype(np.int64)
        begins = np.cumsum(sizes) - sizes
        found = np.zeros((len(sizes), COLOURS), np.uint8)
        alone = np.flatnonzero(sizes == 1)  # the root of a square is what it was
        found[alone] = self.roots[ids[begins[alone]]]
        looks = np.empty(len(sizes), np.uint64)
        looks[alone] = self.looks[ids[begins[alone]]]
        several = np.flatnonzero(sizes > 1)
        for start in range(0, len(several), _ITEMS):
            rows = several[start : start + _ITEMS]
            own = np.concatenate([ids[begins[r] : begins[r] + sizes[r]] for r in rows.tolist()])
            first = np.cumsum(sizes[rows]) - sizes[rows]
            shares = np.add.reduceat(np.square(self.roots[own].astype(np.float64)), first)
            found[rows] = np.rint(np.sqrt(shares / sizes[rows, None]))
        others = np.flatnonzero(sizes != 1)
        looks[others] = looks_of(found[others])
        return found, looks


def looks_of(rows: NDArray[np.number[Any]]) -> NDArray[np.uint64]:
    """Return what rows of colours, or of S_i, are known by, [n]: alike are those that are equal."""
    return keys_of_rows(rows)[:, 0]


def _keys_of(images: ImageStore) -> NDArray[np.uint64]:
    """Return what pictures are known by, [n, 2]: 128 bits of their SHA-256, and their size."""
    if not len(images):
        return np.empty((0, 2), np.uint64)
    texts = in_one_piece(images.table["sha256"]).cast(pa.binary(_DIGITS))
    digits = np.frombuffer(texts.buffers()[1], np.uint8)[texts.offset * _DIGITS :]
    halves = _VALUES[digits.reshape(-1, _DIGITS)[: len(texts), : 2 * _BYTES]]
    shas = (halves[:, ::2] << 4 | halves[:, 1::2]).view(np.uint64)
    return shas ^ keys_of([[f"{images.height}x{images.width}"]])


def colours_of(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 255 times the root of the share of each colour in each picture, [n, C].

    Args:
        pictures: sRGB, [n, H, W, 3].
    """
    size, height, width = pictures.shape[:3]
    red, green, blue = (part.take(pictures[..., n]) for n, part in enumerate(_PARTS))
    colour = (red + green + blue).reshape(size, height * width).astype(np.int64)
    colour += np.arange(size)[:, None] * COLOURS
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
