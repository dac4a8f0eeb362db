"""Pictures that an earlier run decoded: known by the stamp of their file, or by its content.

`.smar/pictures/` holds the last picture store as links to the same files, outside the outputs that
DVC removes before a stage runs, and the stamps of the files that its pictures came from. It may be
deleted at any time; the next run then decodes everything. Shards whose home is an object store lie
beside it (`stored_shards`).
"""

import logging
import shutil
import time
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smar.data import images, schema
from smar.data.arrow_numbers import numbers_of
from smar.data.membership import places_of
from smar.errors import ArtifactError
from smar.params import ImageStoreParams
from smar.replace import link_or_copy, replacement
from smar.sources import picture_decoding
from smar.sources.picture_files import FACTS
from smar.sources.picture_shards import EarlierStore
from smar.verified import YOUNG_NS, tell_hashed, unwritten

logger = logging.getLogger(__name__)

_LIBRARIES = ("pillow", "pillow-heif", "numpy")
_STAMPS = "stamps.parquet"
_FACTS = ("device", "inode", "bytes", "changed_ns")


@dataclass(frozen=True)
class Stamp:
    """What the file system says of a file; a file of the same stamp has the same content."""

    device: int
    inode: int
    bytes: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> "Stamp":
        """Return the stamp of a file.

        Raises:
            OSError: If there is none.
        """
        facts = path.stat()
        return cls(facts.st_dev, facts.st_ino, facts.st_size, facts.st_ctime_ns)

    @property
    def facts(self) -> tuple[int, int, int, int]:
        """The stamp as `PictureFolder.facts_of` has it."""
        return self.device, self.inode, self.bytes, self.changed_ns


@dataclass(frozen=True)
class Stamps:
    """Where the pictures of a store came from.

    Args:
        links: What the feed calls them, each once, [S].
        facts: What the file system says of their files, as `PictureFolder.facts_of`, [S, 4];
            `UNKNOWN` of what is bad or cut short.
        images: Their image ids, [S]; -1 of what is bad or cut short.
    """

    links: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    facts: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, FACTS), np.int64))
    images: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def rows_of(self, links: pa.Array) -> NDArray[np.int64]:
        """Return where links are among the stamps, -1 for those that are not, [n]."""
        if links.equals(self.links):  # as they are where no picture came or went
            return np.arange(len(links))
        return places_of(links, self.links)

    def table(self) -> pa.Table:
        """Return the stamps in columns, as they are kept."""
        facts = {name: pa.array(self.facts[:, place]) for place, name in enumerate(_FACTS)}
        return pa.table({"link": self.links, **facts, "image_id": pa.array(self.images)})

    @classmethod
    def read(cls, path: Path) -> "Stamps":
        """Return what `table` was written to a file.

        Raises:
            ArtifactError: If it is missing or damaged.
            KeyError: If it has other columns.
        """
        table = schema.read_arrow(path)
        facts = np.stack([numbers_of(table[name]) for name in _FACTS], axis=1)
        return cls(table["link"].combine_chunks(), facts, numbers_of(table["image_id"]))


@dataclass(frozen=True)
class DecodedPictures:
    """What earlier runs decoded.

    Args:
        earlier: Their pictures, None if there are none.
        stamps: What links led to.
        started_ns: When this run began.
    """

    earlier: EarlierStore | None = None
    stamps: Stamps = field(default_factory=Stamps)
    started_ns: int = field(default_factory=time.time_ns)

    @classmethod
    def open(cls, folder: Path, params: ImageStoreParams) -> "DecodedPictures":
        """Return what was decoded in the same way as `params` ask for, by the same code.

        Damage is no error: what is damaged is decoded again.
        """
        place = folder / _key(params)
        if not place.is_dir():
            return cls()
        try:
            unchanged = unwritten(_record_of(place), place)
            earlier = EarlierStore.open(place, unchanged, folder.parent / "shards")
            stamps = Stamps.read(place / _STAMPS)
            if len(stamps.images) and int(stamps.images.max()) >= len(earlier.store):
                raise ValueError(f"{place / _STAMPS}: is of another store")
        except (ArtifactError, OSError, ValueError, KeyError) as error:
            logger.warning("pictures are decoded anew: %s", error)
            return cls()
        return cls(earlier, stamps)

    def images_of(
        self, links: pa.Array, facts: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], dict[str, int]]:
        """Return which image of the earlier store links lead to, -1 where it has to be looked, [n].

        Args:
            links: What the feed calls them, [n].
            facts: What the file system says of them, [n, 4].

        Returns:
            The images, and rows of the stamps by those of the others that have one.
        """
        if self.earlier is None or not len(self.stamps.images):
            return np.full(len(links), -1, np.int64), {}
        rows = self.stamps.rows_of(links)
        same = (rows >= 0) & (self.stamps.facts[rows] == facts).all(axis=1)
        others = np.flatnonzero((rows >= 0) & ~same)
        images = np.where(same, self.stamps.images[rows], -1)
        named = links.take(pa.array(others)).to_pylist()
        return images, dict(zip(named, rows[others].tolist(), strict=True))

    def digest_of(self, row: int, stamp: Stamp) -> str:
        """Return the SHA-256 of a file, "" if it has to be read.

        Args:
            row: Of the stamp of the link that leads to it, -1 for none.
            stamp: The file's own.
        """
        if row < 0 or self.earlier is None or (*self.stamps.facts[row],) != stamp.facts:
            return ""
        return self.earlier.digest_of(int(self.stamps.images[row]))

    def has_whole(self, digest: str) -> bool:
        """Return whether content need not be decoded: what is cut short is marked each time."""
        row = None if self.earlier is None else self.earlier.row_of.get(digest)
        return row is not None and bool(self._is_whole[row])

    @cached_property
    def _is_whole(self) -> NDArray[np.bool_]:
        whole = np.zeros(0 if self.earlier is None else len(self.earlier.store), bool)
        whole[self.stamps.images[self.stamps.images >= 0]] = True
        return whole

    def trusted(self, facts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return stamps to remember, [n, 4]: that of no file if it was changed a moment ago."""
        is_young = facts[:, -1] >= self.started_ns - YOUNG_NS
        return np.where(is_young[:, None], 0, facts)


def remember(folder: Path, store: Path, params: ImageStoreParams, stamps: Stamps) -> None:
    """Keep a picture store, by links to its files, and where its pictures came from.

    Args:
        folder: Where it is kept; what was kept there before goes.
        store: The store, complete.
        params: How its pictures were packed.
        stamps: As of `DecodedPictures`.
    """
    place = folder / _key(params)
    with replacement(place) as temporary:
        for file in sorted(store.iterdir()):
            link_or_copy(file, temporary / file.name)
        schema.write_arrow(temporary / _STAMPS, stamps.table())
    tell_hashed(_record_of(place), [*place.glob("*.npy"), place / images.TABLE])
    for other in folder.iterdir():
        if other.name.partition(".")[0] != place.name and not other.name.startswith("."):
            shutil.rmtree(other) if other.is_dir() else other.unlink()


def _record_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.json")


def _key(params: ImageStoreParams) -> str:
    """Return what stands for the way in which pictures become pixels."""
    code = Path(picture_decoding.__file__).read_bytes()
    versions = [version(name) for name in _LIBRARIES]
    size = (params.height, params.width, params.max_pixels)
    return sha256(repr((code, versions, size)).encode()).hexdigest()[:16]
