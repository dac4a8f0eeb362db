"""What changed, and hashes: computed by DVC's own code."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dagster_dvc.private.loaded import Loaded
from dagster_dvc.private.reasons import reason


def status(entry: Loaded, only: Callable[[str], bool] | None = None) -> list[tuple[str, str, str]]:
    """Return what `dvc status` says of a stage, as (what, path or key, state), without its lock.

    Args:
        entry: The stage.
        only: If given, which paths to look at; commands and parameters are free and always are.
    """
    from dvc.dependency import ParamsDependency

    stage, found = entry.stage, []
    if stage is None:
        return []
    if not stage.frozen or stage.is_repo_import or stage.is_versioned_import:
        for dep in stage.deps:
            is_params = isinstance(dep, ParamsDependency)
            if is_params or only is None or only(dep.fs_path):
                found += [("params" if is_params else "dep", *e) for e in _entries(dep)]
    for out in stage.outs:
        if only is None or only(out.fs_path):
            found += [("out", *entry) for entry in _entries(out)]
    if stage.is_callback or stage.always_changed:
        found.append(("always", "", "always changed"))
    if stage.changed_stage():
        found.append(("cmd", "", "command changed" if entry.cmd else "changed checksum"))
    return found


def _entries(item: Any) -> Iterator[tuple[str, str]]:
    from dvc.exceptions import DvcException

    try:
        said = item.status()
    # An address that does not answer, a key of parameters that stands for several.
    except (DvcException, OSError, ValueError) as error:
        yield _place(item), f"cannot be compared: {reason(error)[0]}"
        return
    for shown, state in said.items():
        path = _place(item) if shown == str(item) else shown
        if isinstance(state, Mapping):
            yield from ((f"{path}: {key}", value) for key, value in state.items())
        else:
            yield path, str(state)


def _place(item: Any) -> str:
    """Return a path from the root of the repository; DVC shows it from where the process stands."""
    if item.fs.protocol != "local":
        return str(item)
    return os.path.relpath(item.fs_path, item.repo.root_dir)


def refill(entry: Loaded, locked: Mapping[str, Any]) -> None:
    """Tell DVC's object what dvc.lock says by now."""
    from dvc.stage.loader import StageLoader

    entry.stage.cmd_changed = bool(locked) and locked.get("cmd") != entry.stage.cmd
    StageLoader.fill_from_lock(entry.stage, dict(locked))


def hash_paths(repo: Any, paths: Sequence[str]) -> dict[str, str]:
    """Return DVC's hash of files and folders: .dvcignore counts, known files are not read again."""
    from dvc_data.hashfile.build import build

    found = {}
    for path in paths:
        odb, fs, ignore = repo.cache.local, repo.fs, repo.dvcignore
        _, _, item = build(odb, path, fs, "md5", ignore=ignore, dry_run=True)
        found[path] = str(item.hash_info.value)
    return found


def hash_address(entry: Loaded, name: str) -> str | None:
    """Return what DVC would record of a dependency that is no local path, such as an ETag.

    None if its host does not answer, or says that nothing is there.
    """
    from dvc.exceptions import DvcException

    dep = next(dep for dep in entry.stage.deps if dep.def_path == name)
    try:
        return str(dep.get_hash().value)
    except (DvcException, OSError):
        return None
