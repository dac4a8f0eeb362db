"""What lock files say, read while DVC may be writing them."""

import time
from collections.abc import Iterable, Iterator, Mapping
from hashlib import md5
from pathlib import Path
from typing import Any

import yaml

from dagster_dvc.errors import ManifestError
from dagster_dvc.manifest import Lock, Recorded
from dagster_dvc.private import Loaded
from dagster_dvc.problems import problem_text

_SETTLED_NS = 50_000_000
_READS = 60
_HASHES = ("md5", "etag", "checksum", "version_id", "rev_lock")
Locks = dict[str, dict[str, Any]]


def read_lock(file: Path) -> dict[str, Any]:
    """Return the stages of the dvc.lock beside a dvc.yaml, waiting for one that is being written.

    Raises:
        ManifestError: If it stays unreadable.
    """
    lock = file.with_name("dvc.lock")
    for attempt in range(_READS):
        try:
            text, written = lock.read_bytes(), stamp(lock)
            content = yaml.load(text, yaml.CSafeLoader) or {}
        except FileNotFoundError:
            return {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            if attempt == _READS - 1 or time.time_ns() - stamp(lock) > 10**9:
                raise ManifestError(problem_text(file.parent, lock, str(error))) from error
        else:
            # DVC writes it in place: what is so new may be half of it.
            if time.time_ns() - written > _SETTLED_NS and stamp(lock) == written:
                break
        time.sleep(_SETTLED_NS / 1e9)
    stages = content.get("stages", {}) if "schema" in content else content
    return dict(stages or {})


def stamp(file: Path) -> int:
    """Return when a file was written, 0 if it is not there."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def lock_of(entry: Loaded, locked: Mapping[str, Any]) -> Lock:
    """Return an entry of dvc.lock, with paths relative to the root."""
    kept = locked.get("params", {})
    return Lock(
        cmd=locked.get("cmd", ""),
        params={
            path: {k: v for k, v in kept.get(name, {}).items() if not keys or k in keys}
            for path, (name, keys) in entry.params.items()
            if name in kept
        },
        deps=dict(_recorded(entry.deps, locked.get("deps", []))),
        outs=dict(_recorded(entry.out_names, locked.get("outs", []))),
    )


def _recorded(
    names: Mapping[str, str], items: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[str, Recorded]]:
    by_name = {str(item.get("path")): item for item in items}
    for path, name in names.items():
        item = by_name.get(name)
        if item is None:
            continue
        value = next((item[key] for key in (str(item.get("hash")), *_HASHES) if key in item), None)
        if value is None:  # as many versioned files, or a data set
            value = md5(str(sorted(item.items())).encode(), usedforsecurity=False).hexdigest()
        yield path, Recorded(md5=str(value), size=item.get("size"), num_files=item.get("nfiles"))
