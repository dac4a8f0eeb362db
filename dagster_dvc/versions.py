"""What changed, in DVC's terms, as the version strings Dagster compares.

A stage's *code version* covers what people edit: its commands, parameter values and code files. A
*data version* is the md5 in dvc.lock. Both exist twice: as they are now, and as they were when the
stage last ran. Where the two agree Dagster shows the asset as synced, and DVC finds nothing to do.
"""

import json
from collections.abc import Callable, Mapping
from hashlib import md5
from typing import Any

from dagster_dvc.manifest import Lock, Manifest, Source, Stage
from dagster_dvc.repository import MISSING, Repository

IsCode = Callable[[str], bool]


def current_code_version(stage: Stage, is_code: IsCode, repository: Repository) -> str:
    """Return the code version of what a run would use now.

    Where DVC sees no difference it is the recorded one, whatever form the two have.
    """
    lock = stage.lock
    cmd = stage.cmd
    always = ["always changed"] if stage.is_always_changed else []
    outs = sorted(out.path for out in stage.outs)
    if stage.is_frozen:  # DVC does not look at what it reads
        return _digest(cmd, outs, *always)
    params = {file: values for file, values in stage.params.items() if _is_edited(stage, file)}
    if lock:
        params = {f: _as_recorded(values, lock.params.get(f, {})) for f, values in params.items()}
    code = {dep: _hash_now(stage, dep, repository) for dep in stage.deps if is_code(dep)}
    return _digest(cmd, outs, params, code, sorted(stage.deps), *always)


def _hash_now(stage: Stage, dep: str, repository: Repository) -> str:
    """Return the hash of a dependency; the recorded one where DVC takes both for one.

    DVC's older hashes (of text with other line ends) are not those of today.
    """
    now = repository.hash(dep)
    before = stage.lock.deps.get(dep) if stage.lock else None
    if before is None or before.md5 == now:
        return now
    return now if repository.is_changed(stage, dep) else before.md5


def recorded_code_version(stage: Stage, lock: Lock, is_code: IsCode) -> str:
    """Return the code version of what the last run used.

    What is no longer in dvc.yaml is left out, as DVC leaves it out.
    """
    outs = sorted(out.path for out in stage.outs if out.path in lock.outs)
    if stage.is_frozen:
        return _digest(lock.cmd, outs)
    params = {
        file: dict(lock.params.get(file, {})) for file in stage.params if _is_edited(stage, file)
    }
    code = {dep: _md5(lock, dep) for dep in stage.deps if is_code(dep)}
    return _digest(lock.cmd, outs, params, code, sorted(d for d in stage.deps if d in lock.deps))


def _is_edited(stage: Stage, file: str) -> bool:
    """Return whether people edit a file of parameters; what a stage writes is data."""
    return file not in stage.written_params


def _as_recorded(values: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as dvc.lock has them where DVC takes both for one (a tuple and its list)."""
    return {key: before[key] if _is_same(value, before.get(key)) else value
            for key, value in values.items()}  # fmt: skip


def _is_same(value: Any, before: Any) -> bool:
    return value == before or (isinstance(value, tuple) and list(value) == before)


def data_version(stage: Stage, lock: Lock, manifest: Manifest) -> str:
    """Return the md5 of what others can read from a stage: of one output its own, else of all.

    Metrics and plots that no stage reads are left out: timings in them are not data.
    """
    data = [
        out.path
        for out in stage.outs
        if out.kind == "data" or any(True for _ in manifest.read.overlapping(out.path))
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
    if upstream.lock and all(_is_unchanged(path, lock, upstream.lock) for path in read):
        return data_version(upstream, upstream.lock, manifest)
    return _digest("other", {path: _md5(lock, path) for path in read})


def recorded_source_version(lock: Lock, source: Source) -> str:
    """Return the md5 of a source that the last run of a stage saw."""
    return _md5(lock, source.path)


def _is_unchanged(path: str, reader: Lock, writer: Lock) -> bool:
    if path in writer.outs and path not in reader.params:
        return _md5(reader, path) == writer.outs[path].md5
    # A part of an output, a folder of outputs, or parameters: DVC compares those by looking.
    return path in reader.deps or path in reader.params


def _md5(lock: Lock, path: str) -> str:
    return lock.deps[path].md5 if path in lock.deps else MISSING


def _out_md5(lock: Lock, path: str) -> str:
    return lock.outs[path].md5 if path in lock.outs else MISSING


def _digest(*parts: Any) -> str:
    text = json.dumps(as_json(parts), sort_keys=True)
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def as_json(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, Mapping):
        return {str(key): as_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(inner) for inner in value]
    return value if isinstance(value, int | float | str | bool | None) else str(value)
