"""Shards of an earlier run that are as they would be written again: linked, and not written.

    .smar/index/shards/KEY.faiss

A key says how the index is made, its kind, settings and centres, and the vectors of the shard in
their order: with them the bytes of its file are known. Only shards with items that changed are
written.

Shapes: N items, n of a shard.
"""

import logging
import os
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
from smar.verified import tell_hashed, unwritten

if TYPE_CHECKING:
    from smar.index.ann import VectorIndex

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
        facts, file = self.files.get(key), self.folder / f"{key}.faiss"
        if facts is None:
            return None
        if not file.is_file():
            logger.warning("%s: missing, the shard is written anew", file)
            return None
        if file.name not in self.unwritten and digest(file) != facts["sha256"]:
            logger.warning("%s: damaged, the shard is written anew", file)
            return None
        return facts if linked(file, target) else None


def _record(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.hashed.json")


def is_shard(name: str) -> bool:
    """Return whether a file of what is kept is a shard."""
    return Path(name).parts[0] == FOLDER


def linked(file: Path, target: Path) -> bool:
    """Return whether a file has another name now; a file system may have no links."""
    try:
        os.link(file, target)
    except OSError:
        return False
    return True


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
        trained = b"" if index.lists is None else index.lists.trained.tobytes()
        told[INDEX] = orjson.dumps([index.details["kind"], index.details["settings"]]) + trained
    found = {}
    for number, shard in enumerate(index.shards):
        of_items = (keys if shard.rows is None else keys[shard.rows]).tobytes()
        for name, held in ((INDEX, shard.index), (WHOLE, shard.whole)):
            if held is not None and name in told:
                parts = b"\0".join([name.encode(), how.encode(), told[name], of_items])
                known = blake2b(parts, digest_size=16).hexdigest()
                found[file_of(name, number, len(index.shards))] = known
    return found
