"""Shards of an earlier run that are as they would be written again: linked, and not written.

    .smar/index/shards/KEY.faiss

A key says how the index is made, its kind, settings and centres, and the vectors of the shard in
their order: with them the bytes of its file are known. Only shards with items that changed are
written.

Shapes: N items, n of a shard.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from smar.artifacts import digest
from smar.index.shard_files import INDEX, WHOLE, file_of
from smar.replace import linked
from smar.verified import tell_hashed, unwritten

if TYPE_CHECKING:
    from smar.index.ann import VectorIndex
    from smar.index.lists import Lists

logger = logging.getLogger(__name__)

FOLDER = "shards"


@dataclass(frozen=True)
class KeptShards:
    """Files that may be taken over.

    Args:
        folder: Where they lie.
        files: Size and SHA-256 of each, by key.
        unwritten: Names of those that nobody wrote to since they had that SHA-256.
    """

    folder: Path = field(default_factory=Path)
    files: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    unwritten: Collection[str] = ()
    _whole: dict[str, bool] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, folder: Path, files: Mapping[str, dict[str, Any]]) -> "KeptShards":
        """Return those that a manifest of what is kept in a folder names."""
        own = {Path(name).stem: facts for name, facts in files.items() if is_shard(name)}
        try:
            known = unwritten(_record(folder), folder / FOLDER)
        except (OSError, ValueError) as error:
            logger.warning("kept shards are hashed again: %s", error)
            known = frozenset()
        return cls(folder / FOLDER, own, known)

    @staticmethod
    def tell_hashed(folder: Path) -> None:
        """Write down that the files in a folder of what is kept are those of its manifest."""
        try:
            tell_hashed(_record(folder), sorted((folder / FOLDER).glob("*.faiss")))
        except OSError as error:
            logger.warning("kept shards will be hashed again: %s", error)

    def take(self, key: str, target: Path) -> dict[str, Any] | None:
        """Put the file of a key in a place and return its size and SHA-256; None: there is none."""
        file = self.file_of(key)
        return self.files[key] if file is not None and linked(file, target) else None

    def file_of(self, key: str) -> Path | None:
        """Return where the file of a key lies, with the content it had; None: there is none."""
        if key not in self.files:
            return None
        file = self.folder / f"{key}.faiss"
        if key not in self._whole:
            self._whole[key] = self._is_whole(file, self.files[key])
        return file if self._whole[key] else None

    def _is_whole(self, file: Path, facts: Mapping[str, Any]) -> bool:
        if not file.is_file():
            logger.warning("%s: missing, the shard is written anew", file)
            return False
        if file.name not in self.unwritten and digest(file) != facts["sha256"]:
            logger.warning("%s: damaged, the shard is written anew", file)
            return False
        return True


def _record(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.hashed.json")


def is_shard(name: str) -> bool:
    """Return whether a file of what is kept is a shard."""
    return Path(name).parts[0] == FOLDER


def keys_of_shards(index: "VectorIndex", keys: NDArray[np.uint64], how: str) -> dict[str, str]:
    """Return what the files of an index are known by, by name; those that nothing is known of lack.

    Codes without lists are trained on all items, and a graph is made of all: no key says them.

    Args:
        index: The index as it is to be written.
        keys: What its rows are known by, [N, 2].
        how: What stands for the way in which it is made.
    """
    told: dict[str, bytes] = {WHOLE: b""}
    if index.lists is not None or index.details["kind"] == "flat":
        told[INDEX] = _made_by(index.details, index.lists)
    found = {}
    for number, shard in enumerate(index.shards):
        own = keys if shard.rows is None else keys[shard.rows]
        for name, held in ((INDEX, shard.index), (WHOLE, shard.whole)):
            if held is not None and name in told:
                found[file_of(name, number, len(index.shards))] = _key(name, how, told[name], own)
    return found


def key_of_one(
    details: Mapping[str, Any], lists: "Lists", keys: NDArray[np.uint64], how: str
) -> str:
    """Return what the file of an index of one shard is known by, as `keys_of_shards` does.

    Args:
        details: Its kind and settings.
        lists: Its inverted lists.
        keys: What its rows are known by, [N, 2].
        how: What stands for the way in which it is made.
    """
    return _key(INDEX, how, _made_by(details, lists), keys)


def _made_by(details: Mapping[str, Any], lists: "Lists | None") -> bytes:
    trained = b"" if lists is None else lists.trained.tobytes()
    return orjson.dumps([details["kind"], details["settings"]]) + trained


def _key(name: str, how: str, told: bytes, keys: NDArray[np.uint64]) -> str:
    parts = b"\0".join([name.encode(), how.encode(), told, keys.tobytes()])
    return blake2b(parts, digest_size=16).hexdigest()
