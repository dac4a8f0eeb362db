"""Pixels into shards: new ones into new shards, those of an earlier store stay where they are.

Shapes: n pictures of H x W pixels, uint8 RGB.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from smar.artifacts import digest, read_manifest
from smar.data import images
from smar.data.images import ImageStore
from smar.data.stored_shards import Shards, StoredShards
from smar.errors import ArtifactError
from smar.replace import link_or_copy

_MOST_PARTIAL = 8  # shards that are not full; with one more they are packed together
_LEAST_USED = 0.5  # of a shard's pictures; with less the others are packed anew


@dataclass(frozen=True)
class EarlierStore:
    """A store whose shards are taken over.

    Args:
        store: The store.
        shards: Its shards.
        sizes: Width and height of the originals, by image id.
        table: The file of its table.
    """

    store: ImageStore
    shards: Shards
    sizes: NDArray[np.int64]
    table: Path

    @classmethod
    def open(
        cls, folder: Path, unchanged: Collection[str] = (), kept: Path | None = None
    ) -> "EarlierStore":
        """Return the store of a directory artefact; every file is hashed again but `unchanged`.

        Args:
            folder: The directory.
            unchanged: As of `ImageStore.open`.
            kept: As of `ImageStore.open`.

        Raises:
            ArtifactError: If it is missing or damaged, or shards can no longer be had.
        """
        store = ImageStore.open(folder, unchanged=unchanged, kept=kept)
        stored = StoredShards.of(read_manifest(folder, images.KIND), kept) if kept else None
        if stored and (lost := stored.lost()):
            raise ArtifactError(f"{stored.store.url}: {', '.join(lost)} are gone.")
        sides = [store.table[side].to_numpy() for side in ("width", "height")]
        sizes = np.stack(sides, axis=1).astype(np.int64)
        assert isinstance(store.shards, Shards)  # noqa: S101 - it was opened
        return cls(store, store.shards, sizes, folder / images.TABLE)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Its image id by SHA-256 of a picture's file."""
        return {sha: row for row, sha in enumerate(self.store.sha256)}

    def digest_of(self, row: int) -> str:
        """Return the SHA-256 of a picture's file."""
        return str(self.store.table["sha256"][row])


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
        self._added: list[tuple[str, int, int]] = []
        self._shard, self._place = list[int](), list[int]()
        self._id_of: dict[str, int] = {}
        self._old = list(earlier.shards.sizes.values()) if earlier else []  # pictures of each
        self._before = len(earlier.store) if earlier else 0
        self._new: list[str] = []  # names of the shards written
        self.files: dict[str, dict[str, Any]] = {}
        """Size and SHA-256 of the shards in the target, by name, as a manifest has them."""

    def add(
        self,
        link: str,
        digest_of_file: str,
        pixels: NDArray[np.uint8] | None,
        size: tuple[int, int],
    ) -> int:
        """Return the number of a picture's content: its image id in the earlier store, or above.

        Args:
            link: Where it was found.
            digest_of_file: SHA-256 of its file.
            pixels: Its pixels, [H, W, 3]; None if a store has it.
            size: Width and height of the original; not looked at if a store has it.
        """
        row = self._earlier.row_of.get(digest_of_file) if self._earlier else None
        if row is not None:
            return row
        if digest_of_file in self._id_of:
            return self._id_of[digest_of_file]
        if pixels is None:
            raise ValueError(f"{link}: no pixels, and no store has it")
        shard, place = self._append(pixels)
        number = self._id_of[digest_of_file] = self._before + len(self._added)
        self._added.append((digest_of_file, *size))
        self._shard.append(shard)
        self._place.append(place)
        return number

    def close(self, contents: NDArray[np.int64], links: pa.Array) -> NDArray[np.int64]:
        """Write what is left and the table; return the image id of each link, [n].

        Args:
            contents: As `add` or the earlier store numbers them, -1 for none, [n].
            links: Where they were found; an image has the first of its own, [n].
        """
        good = np.flatnonzero(contents >= 0)
        used, first, inverse = np.unique(contents[good], return_index=True, return_inverse=True)
        order = np.argsort(first)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        image_of = np.full(len(contents), -1, np.int64)
        image_of[good] = rank[inverse]
        used = used[order]
        shard, place = self._places(used)
        kept = self._kept(shard)
        for image in np.flatnonzero((shard < len(self._old)) & ~np.isin(shard, kept)).tolist():
            shard[image], place[image] = self._append(self._pixels(shard[image], place[image]))
        if self._filled:
            self._write()
        names = [""] * len(self._old) + self._new
        for number in kept:
            names[number] = self._take_over(number)
        sources = links.take(pa.array(good[first[order]]))
        if len(kept) == len(self._old) and self._is_earlier(used, sources):
            assert self._earlier is not None  # noqa: S101 - what is used is of it
            link_or_copy(self._earlier.table, self._target / images.TABLE)
            return image_of
        table = self._facts(used, sources)
        table["shard"] = _categories(names, shard)
        table.assign(place=place).to_parquet(self._target / images.TABLE, index=False)
        return image_of

    def _is_earlier(self, used: NDArray[np.int64], sources: pa.Array) -> bool:
        """Return whether contents are all those of the earlier store, with their first links."""
        if self._earlier is None or not np.array_equal(used, np.arange(self._before)):
            return False
        before: pa.Array = self._earlier.store.table["source"].combine_chunks().cast(pa.string())
        return bool(before.equals(sources.cast(pa.string())))

    def _places(self, used: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the shard and the place of contents, [n] each."""
        before = self._earlier.store.places() if self._earlier else (np.empty(0, np.int64),) * 2
        added = (np.array(found, np.int64) for found in (self._shard, self._place))
        shard, place = (np.concatenate(both)[used] for both in zip(before, added, strict=True))
        return shard, place

    def _facts(self, used: NDArray[np.int64], sources: pa.Array) -> pd.DataFrame:
        """Return what a store says of contents, but for where they are."""
        digests = pa.array([sha for sha, *_ in self._added], pa.string())
        sizes = np.array([size for _, *size in self._added], np.int64).reshape(-1, 2)
        if self._earlier is not None:
            before = self._earlier.store.table["sha256"].combine_chunks().cast(pa.string())
            digests = pa.concat_arrays([before, digests])
            sizes = np.concatenate([self._earlier.sizes, sizes])
        frame = pd.DataFrame(
            {
                "sha256": digests.take(pa.array(used)).to_pandas().astype(str),
                "source": sources.to_pandas().astype(str),
                "width": sizes[used, 0],
                "height": sizes[used, 1],
            }
        )
        frame.insert(0, "image_id", np.arange(len(frame)))
        return frame

    def _kept(self, shard: NDArray[np.int64]) -> list[int]:
        """Return the earlier shards that stay: enough of them is used, and few are not full."""
        used = np.bincount(shard[shard < len(self._old)], minlength=len(self._old))
        sizes = np.array(self._old, np.int64)
        stays = (used > 0) & (used >= _LEAST_USED * sizes)
        partial = np.flatnonzero(stays & (sizes < images.SHARD_SIZE))
        if len(partial) > _MOST_PARTIAL:
            stays[partial] = False
        return [int(number) for number in np.flatnonzero(stays)]

    def _pixels(self, number: int, place: int) -> NDArray[np.uint8]:
        assert self._earlier is not None  # noqa: S101 - it has shards
        return self._earlier.store.pixels_of(number)[place]

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
        file = self._earlier.shards.file_of(self._earlier.store.names[number])
        target = self._target / file.name
        if not target.exists():
            link_or_copy(file, target)
        self.files[file.name] = dict(self._earlier.shards.facts[file.name])
        return file.name


def _categories(names: Sequence[str], number: NDArray[np.int64]) -> "pd.Categorical[str]":
    """Return the name of each number, [n], of those that are used."""
    used = np.flatnonzero(np.bincount(number, minlength=len(names))).tolist()
    known = sorted({names[place] for place in used})
    code_of = np.zeros(len(names), np.int64)
    code_of[used] = [known.index(names[place]) for place in used]
    return pd.Categorical.from_codes(code_of[number], pd.Index(known))
