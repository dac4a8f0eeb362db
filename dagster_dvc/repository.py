"""A DVC repository as this process knows it: read once, brought up to date where it changed."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import md5
from pathlib import Path

from dagster_dvc import private
from dagster_dvc.errors import ManifestError
from dagster_dvc.ignoring import put_in_order
from dagster_dvc.loading import read, stamps
from dagster_dvc.locks import Locks, lock_of, read_lock, stamp
from dagster_dvc.manifest import Manifest, Source, Stage
from dagster_dvc.paths import overlaps

_SETTLED_NS = 100_000_000
_READS = 20
_SMALL = 2**20  # bytes; larger files are hashed by DVC, which remembers
MISSING = "missing"
UNREACHABLE = "unreachable"


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One of the reasons why DVC would run a stage.

    Args:
        what: "cmd", "params", "dep", "out", "always", or "lock" if it has never run.
        path: Path, address or "file: key"; "" where none applies.
        state: In DVC's words, such as "modified" or "not in cache".
    """

    what: str
    path: str = ""
    state: str = ""

    def __str__(self) -> str:
        """Return it for people."""
        return f"{self.path} ({self.state})" if self.path else self.state


@dataclass(frozen=True, kw_only=True)
class Change:
    """Why DVC would run a stage.

    Args:
        stage: Its name.
        reasons: In words, such as "params.yaml: train.lr (modified)".
    """

    stage: str
    reasons: tuple[str, ...]


class Repository:
    """A repository that was read; use `open_repository`, which reads it only when it has to.

    Args:
        root: Its root folder.

    Raises:
        ManifestError: If a file is missing or broken; every broken file is listed.
        DuplicateError: If several stages write one path; every such path is listed.
    """

    manifest: Manifest

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._start_ns = 0
        self._read()
        self._loaded = {f"{entry.file}\0{entry.local_name}": entry for entry in self.reader.loaded}
        self._hashes: dict[str, tuple[int, str]] = {}

    def _read(self) -> None:
        """Read until nothing was written meanwhile: DVC writes dvc.lock in place."""
        for attempt in range(_READS):
            self._start_ns = time.time_ns()
            try:
                with private.without_garbage():
                    self.reader, self.manifest, self._locks = read(self.root)
            except ManifestError:
                if attempt == _READS - 1 or not self._is_being_written(["dvc.yaml"]):
                    raise
            else:
                self._lock_stamps = {file: self._lock_stamp(file) for file in self._locks}
                if not self._is_being_written(self._locks):
                    break
            time.sleep(_SETTLED_NS / 1e9)
        self.stamps = stamps(self.root, self.reader)

    def _is_being_written(self, files: Iterable[str]) -> bool:
        written = max((self._lock_stamp(file) for file in files), default=0)
        return written > self._start_ns - _SETTLED_NS

    def _lock_stamp(self, file: str) -> int:
        return stamp((self.root / file).with_name("dvc.lock"))

    def is_current(self) -> bool:
        """Return whether the files that it was read from are as they were, lock files aside."""
        return all(stamp(self.root / file) == seen for file, seen in self.stamps.items())

    def is_settled(self) -> bool:
        """Return whether nothing was written while it was read."""
        return max(self.stamps.values(), default=0) < self._start_ns

    def refresh(self) -> Manifest:
        """Return the manifest after looking what ran since: lock files that changed are read."""
        for file, seen in self._lock_stamps.items():
            now = self._lock_stamp(file)
            if now != seen:
                self._take_in(file, read_lock(self.root / file))
                self._lock_stamps[file] = now
        return self.manifest

    def _take_in(self, file: str, locked: Locks) -> None:
        stages, before = dict(self.manifest.stages), self._locks.get(file, {})
        for name, stage in stages.items():
            if stage.file != file:
                continue
            entry, record = self.entry(stage), locked.get(stage.local_name)
            if record != before.get(stage.local_name) and entry.stage is not None:
                private.refill(entry, record or {})
                stages[name] = replace(stage, lock=lock_of(entry, record) if record else None)
        self._locks[file] = locked
        self.manifest = replace(self.manifest, stages=stages)

    def entry(self, stage: Stage) -> private.Loaded:
        """Return what DVC holds of a stage."""
        return self._loaded[f"{stage.file}\0{stage.local_name}"]

    def reasons(self, stage: Stage) -> list[Reason]:
        """Return why DVC would run a stage: what `dvc status` says, computed by the same code."""
        found = [
            Reason(what=what, path=path, state=state)
            for what, path, state in private.status(self.entry(stage))
        ]
        if found and stage.lock is None:
            return [Reason(what="lock", state="it has never run")]
        return found

    def is_changed(self, stage: Stage, dep: str) -> bool:
        """Return whether DVC sees that a dependency of a stage changed."""
        place = str(self.root / dep)
        found = private.status(self.entry(stage), only=lambda path: path == place)
        return any(what == "dep" for what, _, _ in found)

    def changes(self, names: Iterable[str] | None = None) -> list[Change]:
        """Return which stages DVC would run first, with the reasons, in pipeline order."""
        wanted = set(self.manifest.stages if names is None else names)
        found = [
            Change(stage=stage.name, reasons=tuple(map(str, self.reasons(stage))))
            for stage in self.manifest.stages.values()
            if stage.name in wanted
        ]
        return [change for change in found if change.reasons]

    def uncommitted(self, stage: Stage) -> list[str]:
        """Return the .dvc files a stage reads from whose data changed since DVC took it in."""
        return [file for file in stage.tracked if private.status(self._loaded[f"{file}\0"])]

    def ignore_outputs(self, names: Iterable[str]) -> None:
        """Write what these stages add to .gitignore, in pipeline order: see `ignoring`.

        Where they make the folder themselves it is put in order by `order_ignored`, in this process
        or a copy of it.
        """
        wanted = set(names)
        stages = [s for s in self.manifest.stages.values() if s.name in wanted]
        _to_order[self.root] = private.ignore_outputs(self.entry(stage) for stage in stages)

    def order_ignored(self, stage: Stage) -> None:
        """Put the .gitignore of new folders that a stage reads in order: all is written by now."""
        for folder, names in _to_order.get(self.root, {}).items():
            path = Path(os.path.relpath(folder, self.root)).as_posix()
            if any(overlaps(path, dep) for dep in stage.deps):
                put_in_order(Path(folder) / ".gitignore", names)

    def hash(self, path: str) -> str:
        """Return the hash that DVC would record for a path or address as it is now.

        "missing" if nothing is there, "unreachable" if an address does not answer.
        """
        if "://" in path:
            return self._hash_address(path)
        place = self.root / path
        written = stamp(place)
        if not written:
            return MISSING
        known = self._hashes.get(path)
        if known and known[0] == written and place.is_file():
            return known[1]
        if place.is_file() and place.stat().st_size < _SMALL:
            value = md5(place.read_bytes(), usedforsecurity=False).hexdigest()
        else:
            value = private.hash_paths(self.reader.repo, [str(place)])[str(place)]
        self._hashes[path] = (written, value)
        return value

    def _hash_address(self, path: str) -> str:
        for entry in self.reader.loaded:
            if path in entry.deps and entry.stage is not None:
                return private.hash_address(entry, entry.deps[path]) or UNREACHABLE
        return MISSING

    def source_version(self, source: Source) -> str:
        """Return the hash of a source as it is now."""
        return self.hash(source.path)


def open_repository(root: Path) -> Repository:
    """Return the repository as this process last read it, brought up to date.

    It is read again when a file it came from changed; lock files alone are read by themselves. Only
    files that are new since then are not noticed. A process that was forked from one that has read
    the repository need not read it again.
    """
    root = root.resolve()
    known = _known.get(root)
    if known is None or not known.is_current():
        known = Repository(root)
        if known.is_settled():
            _known[root] = known
        else:
            _known.pop(root, None)
    known.refresh()
    return known


_known: dict[Path, Repository] = {}
# By root: folders that did not exist when a run began, and the outputs that will lie there.
_to_order: dict[Path, dict[str, list[str]]] = {}


def load_manifest(root: Path) -> Manifest:
    """Return the manifest of the DVC repository at `root`, read anew.

    Raises:
        ManifestError: If a file is missing or broken; every broken file is listed.
        DuplicateError: If several stages write one path; every such path is listed.
    """
    return Repository(root).manifest
