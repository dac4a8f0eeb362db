"""Item rows `[S_t ; S_m]`, put together where they are looked at, and what they are known by.

Shapes: N items, n of some, D embedding length.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smar.content_keys import keys_of_rows

_AT_ONCE = 512  # rows that are put together: they stay in the nearest caches


@dataclass(frozen=True, eq=False)
class ItemRows:
    """Item rows that lie in two parts; where an array of them is read it may stand for it.

    Args:
        text: S_t, in memory or mapped, [N, D].
        multimodal: S_m, likewise.
    """

    text: NDArray[np.float32]
    multimodal: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.text)

    @property
    def shape(self) -> tuple[int, int]:
        """N and 2 D."""
        return len(self.text), 2 * self.text.shape[1]

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Return some rows, [n, 2 D], an array of the caller's own."""
        return np.concatenate([self.text[rows], self.multimodal[rows]], axis=1)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield all rows in their order, [n, 2 D] each."""
        for part in _parts(len(self)):
            yield self[part]


@dataclass(frozen=True)
class EarlierRows:
    """Item rows of an earlier run.

    Args:
        vectors: `[S_t ; S_m]`, mapped, [M, 2 D].
        keys: What they are known by, [M, 2].
        places: Where each item of now was, -1 for one that is new, [N].
        held_by: What they are mapped by: they are gone with it.
    """

    vectors: NDArray[np.float32]
    keys: NDArray[np.uint64]
    places: NDArray[np.int64]
    held_by: object = None


def keys_of_items(rows: ItemRows, earlier: EarlierRows | None = None) -> NDArray[np.uint64]:
    """Return what item rows are known by, [N, 2]: `keys_of_rows`, of those hashed that are new.

    Args:
        rows: The item rows.
        earlier: Rows whose keys are known, of which those that are bit for bit the same are taken.
    """
    keys = np.empty((len(rows), 2), np.uint64)
    same = np.zeros(len(rows), np.bool_) if earlier is None else _same(rows, earlier)
    if earlier is not None:
        keys[same] = earlier.keys[earlier.places[same]]
    new = np.flatnonzero(~same)
    for part in _parts(len(new)):
        keys[new[part]] = keys_of_rows(rows[new[part]])
    return keys


def _same(rows: ItemRows, earlier: EarlierRows) -> NDArray[np.bool_]:
    """Return which rows are, bit for bit, those of before at their places, [N]."""
    same = np.zeros(len(rows), np.bool_)
    half = rows.text.shape[1]
    if not len(earlier.vectors) or earlier.vectors.shape[1] != 2 * half:
        return same
    for part in _parts(len(rows)):
        places = earlier.places[part]
        first = int(places[0])
        in_line = first >= 0 and bool((np.diff(places) == 1).all())
        taken = slice(first, first + len(places)) if in_line else np.maximum(places, 0)
        before = earlier.vectors[taken].view(np.uint32)
        equal = (rows.text[part].view(np.uint32) == before[:, :half]).all(axis=1)
        equal &= (rows.multimodal[part].view(np.uint32) == before[:, half:]).all(axis=1)
        same[part] = equal & (places >= 0)
    return same


def _parts(size: int) -> Iterator[slice]:
    for start in range(0, size, _AT_ONCE):
        yield slice(start, min(start + _AT_ONCE, size))
