"""Shards of a picture store: in its folder, or in an object store and kept here as they are read.

    data/images/     images.parquet and a manifest, whose details name the store and each shard
    .smar/shards/    the shards that this machine packed or read; may be deleted at any time

A shard is named by its content, so that whoever has one of a name has it.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smar.artifacts import Manifest, digest
from smar.errors import ArtifactError
from smar.kept_files import held
from smar.object_store import ObjectStore, StoreError
from smar.replace import link_or_copy, write_file
from smar.verified import YOUNG_NS, tell_hashed, unwritten

logger = logging.getLogger(__name__)

Facts = Mapping[str, Mapping[str, Any]]
"""Size and SHA-256 of files, by name."""
STORE, SHARDS = "store", "shards"  # of a manifest's details
_ABOUT = "about.txt"
_TOLD = (
    "Shards of pictures packed by smar, each named by its content. data/images/manifest.json of a "
    "project names those that it needs; the others may be deleted.\n"
)
_MEND = (
    "Run `dvc repro --single-item --force ingest` where the shop's pictures are: it puts back what "
    "is not there."
)


@dataclass(frozen=True)
class StoredShards:
    """Shards in an object store, of which this machine keeps what it needs.

    Args:
        store: The store.
        facts: Of the shards.
        kept: Where they are kept.
        verify: Hash those that are kept before they are used, if that was not done before.
    """

    store: ObjectStore
    facts: Facts
    kept: Path
    verify: bool = True

    @classmethod
    def of(cls, manifest: Manifest, kept: Path, *, verify: bool = True) -> "StoredShards | None":
        """Return the shards that a manifest names in a store, None if it names no store."""
        url = manifest.details.get(STORE, "")
        return cls(ObjectStore(url), manifest.details[SHARDS], kept, verify) if url else None

    def file_of(self, name: str) -> Path:
        """Return the file of a shard, which is fetched if it is not here; one process fetches it.

        Raises:
            ArtifactError: If the store does not give what was packed.
        """
        file = self.kept / name
        if not self._is_sound(file):
            with held(self.kept):
                if not self._is_sound(file):
                    self._fetch(file)
        return file

    def lost(self) -> list[str]:
        """Return the shards that are neither here nor in the store, by their sizes.

        Raises:
            ArtifactError: If the store does not say.
        """
        return [
            name
            for name, facts in self.facts.items()
            if _size_of(self.kept / name) != facts["bytes"] and self._size(name) != facts["bytes"]
        ]

    def check(self) -> str:
        """Return what was found in a line: every object is there, what is kept is what was packed.

        Raises:
            ArtifactError: With all that is not.
        """
        problems, here = [], 0
        for name, facts in self.facts.items():
            size = self._size(name)
            if size != facts["bytes"]:
                problems.append(
                    f"{self.store.url_of(name)} is {_told(size)}, expected {facts['bytes']} bytes"
                )
            if (file := self.kept / name).is_file():
                here += 1
                if digest(file) != facts["sha256"]:
                    problems.append(f"{file}: its content is not what was packed; remove it")
        if problems:
            raise ArtifactError(f"pictures: {'; '.join(problems)}. {_MEND}")
        return (
            f"pictures: {len(self.facts)} shards in {self.store.url}, each with its size; {here} "
            "of them kept here, every hash as packed"
        )

    def _size(self, name: str) -> int | None:
        try:
            return self.store.size_of(name)
        except StoreError as error:
            raise ArtifactError(f"{self.store.url_of(name)}: {error}.") from error

    def _is_sound(self, file: Path) -> bool:
        """Return whether a shard that is kept is what was packed."""
        facts = self.facts[file.name]
        size = _size_of(file)
        if size is None:
            return False
        if size == facts["bytes"] and (not self.verify or self._is_as_packed(file)):
            return True
        logger.warning("%s: is not what was packed; it is fetched again", file)
        return False

    def _is_as_packed(self, file: Path) -> bool:
        record = file.with_suffix(".json")
        try:
            if file.name in unwritten(record, self.kept):
                return True
        except (OSError, ValueError) as error:
            logger.warning("%s is hashed again: %s", file, error)
        if digest(file) != self.facts[file.name]["sha256"]:
            return False
        _remember(file)
        return True

    def _fetch(self, file: Path) -> None:
        expected, url = self.facts[file.name], self.store.url_of(file.name)
        logger.info("pictures: fetching %s", url)
        with write_file(file) as temporary:
            try:
                self.store.get(file.name, temporary)
            except StoreError as error:
                raise ArtifactError(
                    f"{url}: {error}; expected {expected['bytes']} bytes of SHA-256 "
                    f"{expected['sha256']}. {_MEND}"
                ) from error
            seen = {"bytes": temporary.stat().st_size, "sha256": digest(temporary)}
            if seen != expected:
                raise ArtifactError(
                    f"{url}: holds {seen['bytes']} bytes of SHA-256 {seen['sha256']}, expected "
                    f"{expected['bytes']} bytes of {expected['sha256']}. Delete it there. {_MEND}"
                )
            # Nobody else wrote to it: whoever does later gives it another time.
            before_ns = time.time_ns() - 2 * YOUNG_NS
            os.utime(temporary, ns=(before_ns, before_ns))
        _remember(file)


class Shards(Mapping[str, NDArray[np.uint8]]):
    """Memory-mapped shards by name, each opened when it is asked for.

    Args:
        facts: Of all of them.
        file_of: Returns the file of one, by its name.
        picture: Bytes of a picture, more than the header of a shard has.
    """

    def __init__(self, facts: Facts, file_of: Callable[[str], Path], picture: int) -> None:
        self.facts, self.file_of = facts, file_of
        self.sizes = {name: int(of_shard["bytes"]) // picture for name, of_shard in facts.items()}
        """Numbers of their pictures."""
        self._opened: dict[str, NDArray[np.uint8]] = {}

    def __getitem__(self, name: str) -> NDArray[np.uint8]:
        if name not in self._opened:
            shard = np.load(self.file_of(name), mmap_mode="r", allow_pickle=False)
            self._opened[name] = shard
        return self._opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)


def check_store(url: str) -> None:
    """Write a few lines into an object store that shards will be put into, unless they are there.

    Raises:
        ArtifactError: If that cannot be done.
    """
    store = ObjectStore(url)
    try:
        if store.size_of(_ABOUT) == len(_TOLD):
            return
        with TemporaryDirectory(prefix="smar-store-") as folder:
            (Path(folder) / _ABOUT).write_text(_TOLD, encoding="ascii")
            store.put(Path(folder) / _ABOUT, _ABOUT)
    except StoreError as error:
        raise ArtifactError(
            f"ingest.images.store: {store.url_of(_ABOUT)}: {error}. Make the place, or give this "
            "machine what it needs to write there; nothing was changed."
        ) from error


def put_away(folder: Path, facts: Facts, url: str, kept: Path) -> dict[str, Any]:
    """Put the shards of a folder into an object store, keep them here, and return the details.

    What is in the store with its size is not put again. A process killed at any moment leaves
    objects that nobody names, and that the next run finds.

    Args:
        folder: Where they are; they are moved.
        facts: Of the shards.
        url: Of the store.
        kept: Where they are kept.

    Raises:
        ArtifactError: If the store does not take one.
    """
    store = ObjectStore(url)
    for name, of_shard in facts.items():
        try:
            if store.size_of(name) != of_shard["bytes"]:
                store.put(folder / name, name)
        except StoreError as error:
            raise ArtifactError(
                f"{store.url_of(name)}: {error}. Run it again: what is there already is not put "
                "again; what was complete before is as it was."
            ) from error
    for name in facts:
        _keep(folder / name, kept / name)
    return {STORE: url, SHARDS: {name: dict(facts[name]) for name in sorted(facts)}}


def forget_others(kept: Path, names: Mapping[str, Any]) -> None:
    """Remove kept shards that no table names; who has one mapped goes on with it."""
    stems = {Path(name).stem for name in names}
    for file in kept.glob("shard-*"):
        if file.stem not in stems:
            file.unlink(missing_ok=True)


def _keep(file: Path, kept: Path) -> None:
    """Move a shard to where it is kept, unless it is there."""
    if not (kept.exists() and kept.samefile(file)):
        with write_file(kept) as temporary:
            link_or_copy(file, temporary)
        _remember(kept)
    file.unlink()


def _remember(file: Path) -> None:
    """Write down that a kept shard was hashed; it is hashed again where that cannot be."""
    try:
        tell_hashed(file.with_suffix(".json"), [file])
    except OSError as error:
        logger.warning("%s: is hashed again by the next process: %s", file, error)


def _size_of(file: Path) -> int | None:
    return file.stat().st_size if file.is_file() else None


def _told(size: int | None) -> str:
    return "missing" if size is None else f"{size} bytes"
