"""The pictures that a feed names, in columns: a million of them are no million objects.

F files, one of one item each.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smar.data.arrow_numbers import numbers_of


@dataclass(frozen=True)
class PictureFile:
    """One picture of one item, as the feed names it.

    Args:
        item_id: The item.
        row: Row of the feed.
        link: Path relative to the feed's folder, or a URL.
        is_main: Whether it is the item's first picture.
        any_ending: Whether a file with another ending will do.
    """

    item_id: str
    row: int
    link: str
    is_main: bool = True
    any_ending: bool = False


@dataclass(frozen=True)
class PictureFiles:
    """Pictures of items, as `PictureFile` has them.

    Args:
        item_ids: The items, [F].
        rows: Rows of the feed, [F].
        links: Paths or URLs, [F].
        is_main: Whether each is its item's first, [F].
        any_ending: Whether a file with another ending will do, [F].
    """

    item_ids: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    links: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    is_main: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    any_ending: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))

    @classmethod
    def of(cls, files: "Iterable[PictureFile] | PictureFiles") -> "PictureFiles":
        """Return files in columns."""
        if isinstance(files, cls):
            return files
        listed = list(files)
        return cls(
            pa.array([file.item_id for file in listed], pa.string()),
            np.array([file.row for file in listed], np.int64),
            pa.array([file.link for file in listed], pa.string()),
            np.array([file.is_main for file in listed], bool),
            np.array([file.any_ending for file in listed], bool),
        )

    def __len__(self) -> int:
        return len(self.links)

    def __getitem__(self, place: int) -> PictureFile:
        return PictureFile(
            self.item_ids[place].as_py(),
            int(self.rows[place]),
            self.links[place].as_py(),
            bool(self.is_main[place]),
            bool(self.any_ending[place]),
        )

    def __iter__(self) -> Iterator[PictureFile]:
        return (self[place] for place in range(len(self)))

    def distinct_links(self) -> tuple[pa.Array, NDArray[np.int64]]:
        """Return each link once, in the order they come, and its number for every file, [F]."""
        coded = self.links.dictionary_encode()
        return coded.dictionary, numbers_of(coded.indices).astype(np.int64)
