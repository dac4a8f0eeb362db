"""Files whose content was found to be what was written, so that none is read through again.

    .smar/verified/<name of a directory>.json    its files as the system knew them when hashed
    .smar/pictures/<key>.json                    files of the picture store that ingest hashed

To hash a release takes a second for each gigabyte, every time it is opened and in every process;
pictures of a million items are 15 GB. What the system says of a file (where it lies, its size, when
it was written, when anything of it changed) is other after whatever is done to it: the time of its
last change is set by the system and by nobody else. It is also that of a link made or removed, so
files that many runs link to are known without it: by `tell_hashed` and `unwritten`. A disk that
gives other bytes than it was given is not seen: `smar verify` reads every byte.
"""

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from smar.artifacts import Manifest, read_manifest, verify_directory, write_json
from smar.kept_files import forget_unused, held

KEPT = 16
"""Directories whose files are remembered, the last ones used."""
YOUNG_NS = 2 * 10**9
"""A file changed so lately may change again without its times saying so: they go in steps."""
_OF_LINKS = 4  # facts that a link made or removed leaves as they are


@dataclass(frozen=True)
class Verified:
    """What was hashed before.

    Args:
        folder: Where it is kept, for example `.smar/verified`; nothing is where it cannot be.
    """

    folder: Path

    def verify(self, path: Path, kind: str) -> Manifest:
        """Return the manifest of a directory whose files are what was written.

        A file is hashed unless it is known to be as it was when it had the manifest's hash; of
        several processes that open the same, one hashes and the others wait.

        Raises:
            ArtifactError: As `verify_directory`.
        """
        files = read_manifest(path, kind).files
        if len(self._unchanged(path, files)) == len(files):
            return verify_directory(path, kind, unchanged=files)
        with held(self.folder):
            known = self._unchanged(path, files)
            before = _facts_of_all(path, files)
            manifest = verify_directory(path, kind, unchanged=known)
            self._keep(path, manifest, before)
            return manifest

    def tell(self, path: Path, manifest: Manifest) -> None:
        """Remember the files of a directory that this process wrote, hashed and has let alone.

        Those that were written so lately that they may change without their times saying so are
        hashed once more by whoever opens them.

        Args:
            path: The directory.
            manifest: Its own.
        """
        with held(self.folder):
            self._keep(path, manifest, _facts_of_all(path, manifest.files))

    def _unchanged(self, path: Path, files: Mapping[str, Mapping[str, Any]]) -> set[str]:
        """Return the files that are as they were when they were hashed last."""
        kept = self._file(path)
        try:
            known = dict(orjson.loads(kept.read_bytes()))
            os.utime(kept)  # it was used last
        except (OSError, ValueError, TypeError):
            return set()
        now = _facts_of_all(path, files)
        return {
            name
            for name, facts in files.items()
            if name in now and known.get(name) == [facts["sha256"], *now[name]]
        }

    def _keep(self, path: Path, manifest: Manifest, before: Mapping[str, list[int]]) -> None:
        """Remember files that were hashed, but for those that changed just then."""
        now, settled = _facts_of_all(path, manifest.files), time.time_ns() - YOUNG_NS
        found = {
            name: [facts["sha256"], *now[name]]
            for name, facts in manifest.files.items()
            if now.get(name) == before.get(name) and name in now and max(now[name][-2:]) < settled
        }
        with suppress(OSError):  # no room, or a folder that may only be read
            write_json(self._file(path), found)
            forget_unused(self.folder, "*.json", KEPT)

    def _file(self, path: Path) -> Path:
        return self.folder / f"{sha256(os.fsencode(path.resolve())).hexdigest()[:32]}.json"


def tell_hashed(record: Path, files: Iterable[Path]) -> None:
    """Write down that files are what they were when they were hashed last.

    Args:
        record: Where that is written, JSON.
        files: The files, by names of their own; links to them are the same files.
    """
    now_ns = time.time_ns()
    facts = {file.name: _facts_of(file)[:_OF_LINKS] for file in files}
    write_json(record, {name: told for name, told in facts.items() if told[-1] < now_ns - YOUNG_NS})


def unwritten(record: Path, folder: Path) -> frozenset[str]:
    """Return the names of those files of a folder that nobody wrote to since `tell_hashed`.

    A file that was replaced, or that is a copy, is not among them. None are where nothing was told.

    Raises:
        ValueError: If the record is damaged.
    """
    try:
        told = orjson.loads(record.read_bytes())
    except FileNotFoundError:
        return frozenset()
    now = _facts_of_all(folder, told)
    return frozenset(name for name in now if now[name][:_OF_LINKS] == told[name])


def _facts_of_all(path: Path, files: Iterable[str]) -> dict[str, list[int]]:
    """Return what the system says of the files that are there."""
    found = {}
    for name in files:
        with suppress(OSError):
            found[name] = _facts_of(path / name)
    return found


def _facts_of(file: Path) -> list[int]:
    facts = file.stat()
    return [facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]
