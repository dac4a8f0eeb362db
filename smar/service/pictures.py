"""The pictures of a project's picture store by the hash of their files."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smar.data import schema
from smar.data.images import ImageStore
from smar.errors import ArtifactError, DataError
from smar.service.texts import Texts

logger = logging.getLogger(__name__)

LARGEST = 1024
"""Pixels of the longer side that a picture can be asked for in."""
FORMATS: Mapping[str, str] = {"jpeg": "image/jpeg", "webp": "image/webp", "png": "image/png"}
_QUALITY = 85


class Pictures:
    """Pictures by SHA-256 of their files; one in two files is one picture.

    Args:
        store: The picture store, or what opens it when a picture is first asked for; None where
            there is none: then no picture is at hand.
    """

    def __init__(self, store: "ImageStore | Callable[[], ImageStore | None] | None") -> None:
        self._given = store

    @classmethod
    def open(cls, path: Path) -> "Pictures":
        """Return the pictures of a store; none, with a warning, where it is damaged.

        Search goes on without pictures: in a clone that pulled a release there are none. A store is
        not opened before it is needed: its table takes as much memory as the rest of a release.
        """
        return cls(partial(_opened, path) if path.is_dir() else None)

    @cached_property
    def _store(self) -> ImageStore | None:
        return self._given() if callable(self._given) else self._given

    @property
    def is_whole(self) -> bool:
        """Whether all pictures that there should be can be had."""
        return self._given is None or self._store is not None

    @cached_property
    def place(self) -> Mapping[str, int]:
        """The row of the store by SHA-256."""
        shas = [] if self._store is None else self._store.sha256
        return {sha: row for row, sha in enumerate(shas)}

    def __contains__(self, sha: object) -> bool:
        return sha in self.place

    def at_hand(self, table: Path) -> Sequence[str]:
        """Return the SHA-256 of each picture of a table by image id, "" for one not in the store.

        Args:
            table: A parquet file with the column sha256, in the order of the image ids.
        """
        if self._store is None:
            return [""] * (schema.num_rows(table) if table.is_file() else 0)
        shas = schema.read_arrow(table)["sha256"]
        if shas.equals(self._store.table["sha256"]):  # a search looks at those of a few items
            return Texts(shas.combine_chunks())
        return [sha if sha in self.place else "" for sha in shas.to_pylist()]

    def pixels(self, sha: str) -> NDArray[np.uint8]:
        """Return a picture as the model sees it, [H, W, 3].

        Raises:
            KeyError: If there is no such picture.
        """
        if self._store is None:
            raise KeyError(sha)
        return self._store.read(np.array([self.place[sha]]))[0]

    def encoded(self, sha: str, size: int = 0, form: str = "jpeg") -> bytes:
        """Return a picture as the bytes of a file.

        Args:
            sha: SHA-256 of the picture's own file.
            size: Pixels of the longer side; 0 for the store's own.
            form: One of `FORMATS`.

        Raises:
            KeyError: If there is no such picture.
            DataError: If it cannot be had in that size or form.
        """
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= LARGEST:
            raise DataError(f"size: {size!r}, expected pixels from 1 to {LARGEST}, 0 for its own.")
        if form not in FORMATS:
            raise DataError(f"form: {form!r}, expected one of {', '.join(FORMATS)}.")
        from PIL import Image  # a search shows no pixels

        picture = Image.fromarray(self.pixels(sha))
        if size:
            scale = size / max(picture.size)
            width, height = (max(1, round(side * scale)) for side in picture.size)
            picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        buffer = BytesIO()
        picture.save(buffer, form.upper(), quality=_QUALITY)
        return buffer.getvalue()


def _opened(path: Path) -> ImageStore | None:
    try:
        return ImageStore.open(path, verify=False)
    except ArtifactError as error:
        logger.warning("search goes on without pictures: %s", error)
        return None
