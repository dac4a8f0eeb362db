"""Pixels into shards: new ones into new shards, those of an earlier store stay where they are.

Shapes: n pictures of H x W pixels, uint8 RGB.
"""

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.artifacts import digest, read_manifest
from smar.data import images
from smar.data.images import ImageStore

_MOST_PARTIAL = 8  # shards that are not full; with one more they are packed together
_LEAST_USED = 0.5  # of a shard's pictures; with less the others are packed anew


@dataclass(frozen=True)
class EarlierStore:
    """A store whose shards are taken over.

    Args:
        store: The store.
        folder: Where its shards are.
        files: Size and SHA-256 of its files, by name.
        row_of: Its image id by SHA-256 of a picture's file.
        sizes: Width and height of the originals, by image id.
    """

    store: ImageStore
    folder: Path
    files: dict[str, dict[str, Any]]
    row_of: dict[str, int]
    sizes: NDArray[np.int64]

    @classmethod
    def open(cls, folder: Path, unchanged: Collection[str] = ()) -> "EarlierStore":
        """Return the store of a directory artefact; every file is hashed again but `unchanged`.

        Raises:
            ArtifactError: If it is missing or damaged.
        """
        store = ImageStore.open(folder, unchanged=unchanged)
        row_of = {sha: row for row, sha in enumerate(store.sha256)}
        sides = [store.table[side].to_numpy() for side in ("width", "height")]
        sizes = np.stack(sides, axis=1).astype(np.int64)
        return cls(store, folder, read_manifest(folder, images.KIND).files, row_of, sizes)

    def size_of(self, row: int) -> tuple[int, int]:
        """Return width and height of an original."""
        width, height = self.sizes[row].tolist()
        return width, height


class ShardWriter:
    """Writes a store, so that memory holds the pixels of one shard only.

    Image ids are given in the order of the pictures, whatever was there before: a store that grew
    and one that was made at once differ in where pixels lie, and in nothing else.

    Args:
        target: An empty folder.
        height: H.
        width: W.
        earlier: The store of an earlier run, if there is one.
    """

    def __init__(
        self, target: Path, height: int, width: int, earlier: EarlierStore | None = None
    ) -> None:
        self._target, self._earlier = target, earlier
        self._buffer = np.empty((images.SHARD_SIZE, height, width, 3), np.uint8)
        self._filled = 0
        self._rows: list[tuple[str, str, int, int]] = []
        self._shard, self._place = list[int](), list[int]()
        self._id_of: dict[str, int] = {}
        self._old = earlier.store.shards if earlier else []
        self._new: list[str] = []  # names of the shards written
        self.files: dict[str, dict[str, Any]] = {}
        """Size and SHA-256 of the shards in the target, by name, as a manifest has them."""

    def has(self, digest_of_file: str) -> bool:
        """Return whether a picture is in the store, or was in the earlier one."""
        known = self._earlier is not None and digest_of_file in self._earlier.row_of
        return known or digest_of_file in self._id_of

    def add(
        self,
        link: str,
        digest_of_file: str,
        pixels: NDArray[np.uint8] | None,
        size: tuple[int, int],
    ) -> int:
        """Return the image id of a picture, a new one unless its bytes are known.

        Args:
            link: Where it was found.
            digest_of_file: SHA-256 of its file.
            pixels: Its pixels, [H, W, 3]; None if the store `has` it.
            size: Width and height of the original; not looked at if the store has it.
        """
        if digest_of_file in self._id_of:
            return self._id_of[digest_of_file]
        row = self._earlier.row_of.get(digest_of_file) if self._earlier else None
        if self._earlier is not None and row is not None:
            (shard, place), size = self._earlier.store.place_of(row), self._earlier.size_of(row)
        elif pixels is not None:
            shard, place = self._append(pixels)
        else:
            raise ValueError(f"{link}: no pixels, and no store has it")
        number = self._id_of[digest_of_file] = len(self._rows)
        self._rows.append((digest_of_file, link, *size))
        self._shard.append(shard)
        self._place.append(place)
        return number

    def close(self) -> None:
        """Write what is left and the table."""
        shard, place = np.array(self._shard, np.int64), np.array(self._place, np.int64)
        kept = self._kept(shard)
        for image in np.flatnonzero((shard < len(self._old)) & ~np.isin(shard, kept)).tolist():
            pixels = self._old[shard[image]][place[image]]
            shard[image], place[image] = self._append(pixels)
        if self._filled:
            self._write()
        names = [""] * len(self._old) + self._new
        for number in kept:
            names[number] = self._take_over(number)
        table = pd.DataFrame(self._rows, columns=["sha256", "source", "width", "height"])
        table = table.astype({"width": "int64", "height": "int64"})
        table.insert(0, "image_id", np.arange(len(table)))
        table["shard"] = pd.Categorical([names[number] for number in shard])
        table.assign(place=place).to_parquet(self._target / images.TABLE, index=False)

    def _kept(self, shard: NDArray[np.int64]) -> list[int]:
        """Return the earlier shards that stay: enough of them is used, and few are not full."""
        used = np.bincount(shard[shard < len(self._old)], minlength=len(self._old))
        sizes = np.array([len(pixels) for pixels in self._old], np.int64)
        stays = (used > 0) & (used >= _LEAST_USED * sizes)
        partial = np.flatnonzero(stays & (sizes < images.SHARD_SIZE))
        if len(partial) > _MOST_PARTIAL:
            stays[partial] = False
        return [int(number) for number in np.flatnonzero(stays)]

    def _append(self, pixels: NDArray[np.uint8]) -> tuple[int, int]:
        """Return the shard and the place that pixels get, [H, W, 3]."""
        found = (len(self._old) + len(self._new), self._filled)
        self._buffer[self._filled] = pixels
        self._filled += 1
        if self._filled == len(self._buffer):
            self._write()
        return found

    def _write(self) -> None:
        path = self._target / "shard.npy"
        np.save(path, self._buffer[: self._filled], allow_pickle=False)
        content = digest(path)
        name = f"shard-{content[:16]}.npy"
        path.replace(self._target / name)
        self.files[name] = {"bytes": (self._target / name).stat().st_size, "sha256": content}
        self._new.append(name)
        self._filled = 0

    def _take_over(self, number: int) -> str:
        """Put an earlier shard into the target without writing it again, and return its name."""
        assert self._earlier is not None  # noqa: S101 - it has shards
        file = self._earlier.folder / self._earlier.store.names[number]
        target = self._target / file.name
        if not target.exists():
            try:
                os.link(file, target)
            except OSError:  # another file system, or one without links
                shutil.copy2(file, target)
        self.files[file.name] = self._earlier.files[file.name]
        return file.name
