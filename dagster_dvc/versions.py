"""What changed, in DVC's terms, as the version strings Dagster compares.

A stage's *code version* covers what people edit: its commands, parameter values and code files. A
*data version* is the md5 in dvc.lock. Both exist twice: as they are now, and as they were when the
stage last ran. Where the two agree Dagster shows the asset as synced, and DVC finds nothing to do.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from typing import Any

from dagster_dvc.manifest import Lock, Manifest, Source, Stage, overlaps

IsCode = Callable[[str], bool]
_UNSEEN = "missing"
_SMALL = 2**20  # bytes; larger files are hashed by DVC, which remembers


@dataclass
class Hasher:
    """DVC's hash of paths as they are now; every path is read once.

    Args:
        root: Root folder of the repository.
    """

    root: Path
    _known: dict[str, str] = field(default_factory=dict)

    def __call__(self, path: str) -> str:
        """Return the md5 that DVC would record for a path, "missing" if nothing is there."""
        if path not in self._known:
            self._known |= self._hash([path])
        return self._known[path]

    def read(self, paths: Iterable[str]) -> None:
        """Hash many paths at once, for later calls."""
        self._known |= self._hash([path for path in paths if path not in self._known])

    def _hash(self, paths: list[str]) -> dict[str, str]:
        found = {}
        left = []
        for path in paths:
            place = self.root / path
            if not place.exists():
                found[path] = _UNSEEN
            elif place.is_file() and place.stat().st_size < _SMALL:
                found[path] = md5(place.read_bytes(), usedforsecurity=False).hexdigest()
            else:
                left.append(path)
        return found | (self._hash_with_dvc(left) if left else {})

    def _hash_with_dvc(self, paths: list[str]) -> dict[str, str]:
        """Hash as DVC's own Output does: .dvcignore counts, known files are not read again."""
        from dvc.repo import Repo
        from dvc_data.hashfile.build import build

        found = {}
        with Repo(str(self.root)) as repo:
            for path in paths:
                _, _, item = build(
                    repo.cache.local,
                    str(self.root / path),
                    repo.fs,
                    "md5",
                    ignore=repo.dvcignore,
                    dry_run=True,
                )
                found[path] = str(item.hash_info.value)
        return found


def current_code_version(stage: Stage, is_code: IsCode, hasher: Hasher) -> str:
    """Return the code version of what a run would use now."""
    if stage.is_frozen:  # DVC looks at its command only
        return _digest(stage.cmd)
    code = {dep: hasher(dep) for dep in stage.deps if is_code(dep)}
    always = ["always changed"] if stage.is_always_changed else []
    return _digest(stage.cmd, stage.params, code, *always)


def recorded_code_version(stage: Stage, lock: Lock, is_code: IsCode) -> str:
    """Return the code version of what the last run used."""
    if stage.is_frozen:
        return _digest(lock.cmd)
    code = {dep: _md5(lock, dep) for dep in stage.deps if is_code(dep)}
    return _digest(lock.cmd, lock.params, code)


def data_version(stage: Stage, lock: Lock, manifest: Manifest) -> str:
    """Return the md5 of what others can read from a stage: of one output its own, else of all.

    Metrics and plots that no stage reads are left out: timings in them are not data.
    """
    read = {dep for other in manifest.stages.values() for dep in other.deps}
    data = [
        out.path
        for out in stage.outs
        if out.kind == "data" or any(overlaps(out.path, dep) for dep in read)
    ]
    paths = sorted(data or [out.path for out in stage.outs])
    if len(paths) == 1:
        return _out_md5(lock, paths[0])
    return _digest({path: _out_md5(lock, path) for path in paths})


def input_version(stage: Stage, lock: Lock, upstream: Stage, manifest: Manifest) -> str:
    """Return the data version of `upstream` that the last run of `stage` saw.

    It is the upstream's present data version if the paths that the stage reads are the same,
    whatever became of the outputs it does not read: that is when DVC would not run it.
    """
    read = manifest.dependencies_on(stage, upstream.name)
    if upstream.lock and all(_is_same(path, lock, upstream.lock) for path in read):
        return data_version(upstream, upstream.lock, manifest)
    return _digest("other", {path: _md5(lock, path) for path in read})


def source_version(source: Source, hasher: Hasher) -> str:
    """Return the md5 of a source as it is now."""
    return hasher(source.path)


def recorded_source_version(lock: Lock, source: Source) -> str:
    """Return the md5 of a source that the last run of a stage saw."""
    return _md5(lock, source.path)


@dataclass(frozen=True, kw_only=True)
class Change:
    """Why DVC would run a stage.

    Args:
        stage: Its name.
        reasons: In words, such as "params.yaml: train.lr".
    """

    stage: str
    reasons: tuple[str, ...]


def changes(manifest: Manifest, names: Iterable[str], hasher: Hasher) -> list[Change]:
    """Return which of the stages DVC would run first, with the reasons, in pipeline order."""
    wanted = set(names)
    found = [
        Change(stage=stage.name, reasons=tuple(_reasons(stage, hasher)))
        for stage in manifest.stages.values()
        if stage.name in wanted
    ]
    return [change for change in found if change.reasons]


def _reasons(stage: Stage, hasher: Hasher) -> Iterable[str]:
    lock = stage.lock
    if lock is None:
        yield "it has never run"
        return
    if stage.cmd != lock.cmd:
        yield "its command"
    if not stage.is_frozen:
        if stage.is_always_changed:
            yield "it is marked as always changed"
        for file, values in stage.params.items():
            before = lock.params.get(file, {})
            for key in dict.fromkeys([*values, *before]):
                if _plain(values.get(key, _UNSEEN)) != before.get(key, _UNSEEN):
                    yield f"{file}: {key}"
        yield from (dep for dep in stage.deps if hasher(dep) != _md5(lock, dep))
    yield from (out.path for out in stage.outs if hasher(out.path) != _out_md5(lock, out.path))


def _is_same(path: str, reader: Lock, writer: Lock) -> bool:
    if path in writer.outs:
        return _md5(reader, path) == writer.outs[path].md5
    return path in reader.deps  # a part of an output: DVC itself compares it when it runs


def _md5(lock: Lock, path: str) -> str:
    return lock.deps[path].md5 if path in lock.deps else _UNSEEN


def _out_md5(lock: Lock, path: str) -> str:
    return lock.outs[path].md5 if path in lock.outs else _UNSEEN


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _digest(*parts: Any) -> str:
    def plain(value: Any) -> Any:
        return dict(value) if isinstance(value, Mapping) else str(value)

    text = json.dumps(parts, sort_keys=True, default=plain)
    return md5(text.encode(), usedforsecurity=False).hexdigest()
