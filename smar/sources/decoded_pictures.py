"""Pictures that an earlier run decoded: known by the stamp of their file, or by its content.

`.smar/pictures/` holds the last picture store as links to the same files, outside the outputs that
DVC removes before a stage runs, and the stamps of the files that its pictures came from. It may be
deleted at any time; the next run then decodes everything.
"""

import logging
import os
import shutil
import time
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from smar.errors import ArtifactError
from smar.params import ImageStoreParams
from smar.replace import replacement, write_file
from smar.sources import picture_decoding
from smar.sources.picture_shards import EarlierStore
from smar.verified import YOUNG_NS, tell_hashed, unwritten

logger = logging.getLogger(__name__)

_LIBRARIES = ("pillow", "pillow-heif", "numpy")
_COLUMNS = ("link", "device", "inode", "bytes", "changed_ns", "sha256")


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
        return cls.of_facts(path.stat())

    @classmethod
    def of_facts(cls, facts: os.stat_result) -> "Stamp":
        """Return the stamp of a file of which these are the facts."""
        # The time of the last change of content or name: unlike mtime it cannot be set.
        return cls(facts.st_dev, facts.st_ino, facts.st_size, facts.st_ctime_ns)


Stamps = dict[str, tuple[Stamp, str]]
"""Stamp and SHA-256 of the file that each link led to; none of pictures that are cut short."""

_NEVER = Stamp(0, 0, 0, 0)  # of no file


@dataclass(frozen=True)
class DecodedPictures:
    """What earlier runs decoded.

    Args:
        earlier: Their pictures, None if there are none.
        stamps: What links led to.
        whole: SHA-256 of those that need not be decoded: what is cut short is marked each time.
        started_ns: When this run began.
    """

    earlier: EarlierStore | None = None
    stamps: Stamps = field(default_factory=dict)
    whole: frozenset[str] = frozenset()
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
            earlier = EarlierStore.open(place, unwritten(_shards_of(place), place))
            table = pd.read_parquet(_stamps_of(place))
        except (ArtifactError, OSError, ValueError) as error:
            logger.warning("pictures are decoded anew: %s", error)
            return cls()
        stamps = {
            link: (Stamp(*facts), sha)
            for link, *facts, sha in zip(*(table[n].tolist() for n in _COLUMNS), strict=True)
            if sha in earlier.row_of
        }
        return cls(earlier, stamps, frozenset(sha for _, sha in stamps.values()))

    def digest_of(self, link: str, stamp: Stamp) -> str:
        """Return the SHA-256 of the file that a link leads to, "" if it has to be read."""
        known, sha = self.stamps.get(link, (None, ""))
        return sha if stamp == known else ""

    def trusted(self, stamp: Stamp) -> Stamp:
        """Return a stamp to remember: that of no file if the file was changed a moment ago."""
        return stamp if stamp.changed_ns < self.started_ns - YOUNG_NS else _NEVER


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
            try:
                os.link(file, temporary / file.name)
            except OSError:  # another file system, or one without links
                shutil.copy2(file, temporary / file.name)
    rows = [
        (link, s.device, s.inode, s.bytes, s.changed_ns, sha) for link, (s, sha) in stamps.items()
    ]
    with write_file(_stamps_of(place)) as temporary:
        pd.DataFrame(rows, columns=[*_COLUMNS]).to_parquet(temporary, index=False)
    tell_hashed(_shards_of(place), place.glob("*.npy"))
    for other in folder.iterdir():
        if other.name.partition(".")[0] != place.name and not other.name.startswith("."):
            shutil.rmtree(other) if other.is_dir() else other.unlink()


def _shards_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.json")


def _stamps_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.parquet")


def _key(params: ImageStoreParams) -> str:
    """Return what stands for the way in which pictures become pixels."""
    code = Path(picture_decoding.__file__).read_bytes()
    versions = [version(name) for name in _LIBRARIES]
    size = (params.height, params.width, params.max_pixels)
    return sha256(repr((code, versions, size)).encode()).hexdigest()[:16]
