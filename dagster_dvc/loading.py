"""Reads a DVC repository into a manifest.

DVC's own loader does the work (foreach, matrix, vars, several commands, .dvc files, lock), so the
bridge understands exactly what `dvc repro` understands. Nothing here takes DVC's lock.
"""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dagster_dvc.errors import DuplicateError, ManifestError, list_problems
from dagster_dvc.manifest import (
    Lock,
    Manifest,
    Output,
    OutputKind,
    Recorded,
    Source,
    Stage,
    overlaps,
)

_SETTLED_S = 0.1
_READS = 20


def load_manifest(root: Path) -> Manifest:
    """Return the manifest of the DVC repository at `root`.

    A dvc.lock that another process is writing is waited for, not misread.

    Raises:
        ManifestError: If a file is missing or broken; every broken file is listed.
        DuplicateError: If several stages write one path; every such path is listed.
    """
    root = root.resolve()
    for attempt in range(_READS):
        start = time.time()
        try:
            manifest = _read(root)
        except ManifestError:
            if attempt == _READS - 1 or not _is_being_written(root, {"dvc.yaml"}, start):
                raise
        else:
            if not _is_being_written(root, {s.file for s in manifest.stages.values()}, start):
                return manifest
        time.sleep(_SETTLED_S)
    return _read(root)


def load_once(root: Path) -> Manifest:
    """Return the manifest as this process last saw it; read again when a file it came from changed.

    For code that asks for the same repository several times: definitions, and steps whose process
    was forked from one that has read it. Only files that are new since then are not noticed.
    """
    root = root.resolve()
    known = _known.get(root)
    if known and known[1] == _stamps(known[0]):
        return known[0]
    start = time.time_ns()
    manifest = load_manifest(root)
    stamps = _stamps(manifest)
    if max(stamps.values(), default=0) < start:  # nothing was written while it was read
        _known[root] = (manifest, stamps)
    return manifest


_known: dict[Path, tuple[Manifest, dict[Path, int]]] = {}


def _stamps(manifest: Manifest) -> dict[Path, int]:
    """Return when the files that a manifest came from were written; 0 for those that are gone."""
    stages = manifest.stages.values()
    files = {manifest.root / stage.file for stage in stages}
    files |= {file.with_name("dvc.lock") for file in files}
    files |= {manifest.root / file for stage in stages for file in stage.params}
    files |= {manifest.root / s.tracked_by for s in manifest.sources.values() if s.tracked_by}
    return {file: file.stat().st_mtime_ns if file.exists() else 0 for file in files}


def _is_being_written(root: Path, files: set[str], start: float) -> bool:
    """Return whether the lock beside one of `files` is so new that only half may have been read."""
    locks = [(root / file).with_name("dvc.lock") for file in files]
    written = [lock.stat().st_mtime for lock in locks if lock.exists()]
    return max(written, default=0.0) > start - _SETTLED_S


def _read(root: Path) -> Manifest:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.repo.index import Index

    if not (root / ".dvc").is_dir():
        raise ManifestError(f"{root}: not a DVC repository (no .dvc folder). Run `dvc init` there.")
    problems: list[str] = []

    def remember(path: str, error: Exception) -> None:
        problems.append(_problem(root, Path(path).resolve(), error))

    with Repo(str(root)) as repo:
        repo.stage_collection_error_handler = None
        index = Index.from_repo(repo, onerror=remember)
        try:
            loaded = [stage for stage in index.stages if stage is not None]
            files: dict[str, Any] = {}
            params = {id(stage): _current_params(stage, problems, files) for stage in loaded}
            plots = {name: dict(props) for name, props in _plot_definitions(index)}
        except DvcException as error:
            remember(str(root / "dvc.yaml"), error)
        if problems:
            raise ManifestError(list_problems(f"{root}: the pipeline cannot be read:", problems))
        if not any(stage.cmd for stage in loaded):
            raise ManifestError(
                f"{root / 'dvc.yaml'}: no stage found. Write one with `dvc stage add`, or bring "
                "the file back with `git checkout dvc.yaml`."
            )
        _refuse_shared_outputs(root, loaded)
        try:
            graph = index.graph
        except DvcException as error:
            raise ManifestError(_problem(root, root / "dvc.yaml", error)) from error
        return _assemble(root, loaded, params, graph, plots)


def _assemble(
    root: Path,
    loaded: list[Any],
    params: dict[int, dict[str, dict[str, Any]]],
    graph: Any,
    plots: dict[str, dict[str, Any]],
) -> Manifest:
    """Return the manifest of DVC's objects, stages in the order they would run."""
    import networkx as nx

    runnable = {stage for stage in loaded if stage.cmd}
    # The file's own order where the graph leaves it open.
    place = {stage: number for number, stage in enumerate(loaded)}
    order = nx.lexicographical_topological_sort(graph.reverse(), key=lambda stage: place[stage])
    stages = {}
    locks: dict[str, dict[str, Any]] = {}
    for stage in order:
        if stage in runnable:
            if stage.path not in locks:  # DVC would parse dvc.lock once per stage
                locks[stage.path] = stage.dvcfile.lockfile_contents.get("stages", {})
            # DVC disconnects a frozen stage from what it reads.
            above = [] if stage.frozen else [s for s in graph.successors(stage) if s in runnable]
            above = sorted(above, key=lambda s: place[s])
            made = _stage(root, stage, params[id(stage)], above, locks[stage.path].get(stage.name))
            stages[made.name] = made
    return Manifest(
        root=root, stages=stages, sources=_sources(root, loaded, stages.values()), plots=plots
    )


def _stage(
    root: Path,
    stage: Any,
    params: dict[str, dict[str, Any]],
    above: list[Any],
    locked: dict[str, Any] | None,
) -> Stage:
    from dvc.parsing import split_group_name

    template, key = split_group_name(stage.name)
    return Stage(
        name=_name(root, stage),
        file=_relative(root, stage.path),
        local_name=stage.name,
        template=template if key is not None else "",
        desc=(stage.desc or "").strip(),
        meta=stage.meta or {},
        cmd=_lines(stage.cmd),
        is_frozen=bool(stage.frozen),
        is_always_changed=bool(stage.always_changed or stage.is_callback),
        deps=tuple(_path(root, dep) for dep in _files_read(stage)),
        params=params,
        outs=tuple(_output(root, out) for out in stage.outs),
        upstream=tuple(_name(root, other) for other in above),
        lock=_lock(root, stage, locked) if locked else None,
    )


def _lines(cmd: str | list[str]) -> tuple[str, ...]:
    lines = cmd if isinstance(cmd, list) else cmd.splitlines()
    return tuple(line for line in lines if line.strip())


def _lock(root: Path, stage: Any, locked: dict[str, Any]) -> Lock:
    return Lock(
        cmd=_lines(locked["cmd"]),
        params={_path(root, dep): dict(dep.hash_info.value or {}) for dep in stage.params},
        deps=dict(_recorded(root, _files_read(stage))),
        outs=dict(_recorded(root, stage.outs)),
    )


def _recorded(root: Path, items: Iterable[Any]) -> Iterator[tuple[str, Recorded]]:
    for item in items:
        if item.hash_info:
            yield (
                _path(root, item),
                Recorded(
                    md5=str(item.hash_info.value),
                    size=item.meta.size if item.meta else None,
                    num_files=item.meta.nfiles if item.meta else None,
                ),
            )


def _output(root: Path, out: Any) -> Output:
    kind: OutputKind = "metric" if out.metric else "plot" if out.plot else "data"
    return Output(
        path=_path(root, out),
        kind=kind,
        is_cached=bool(out.use_cache),
        is_kept=bool(out.persist),
        plot=out.plot if isinstance(out.plot, dict) else {},
    )


def _sources(root: Path, loaded: list[Any], stages: Iterable[Stage]) -> dict[str, Source]:
    """Return what is read and not written: plain paths, and what .dvc files track."""
    stages = list(stages)
    written = [out.path for stage in stages for out in stage.outs]
    tracked = {
        _path(root, out): (_relative(root, stage.path), dict(_recorded(root, [out])))
        for stage in loaded
        if not stage.cmd
        for out in stage.outs
    }
    found = {}
    for path in sorted({dep for stage in stages for dep in stage.deps} | set(tracked)):
        if not any(overlaps(path, out) for out in written):
            file, recorded = tracked.get(path, ("", {}))
            found[path] = Source(path=path, tracked_by=file, recorded=recorded.get(path))
    return found


def _files_read(stage: Any) -> list[Any]:
    from dvc.dependency import ParamsDependency

    return [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]


def _current_params(
    stage: Any, problems: list[str], files: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the values of a stage's parameters by file; `files` keeps what was parsed."""
    root = Path(stage.repo.root_dir)
    found = {}
    for dep in stage.params:
        path = _path(root, dep)
        if not dep.exists:
            problems.append(
                f"{root / path}: not found, though stage '{stage.name}' takes parameters from it. "
                f"Bring it back with `git checkout {path}`."
            )
            continue
        values = _param_values(dep, files)
        missing = [name for name in dep.params if name not in values]
        if missing:
            problems.append(
                f"{root / path}: lacks {', '.join(missing)}, which stage '{stage.name}' takes. Add "
                "it, or take it out of dvc.yaml; `dvc params diff` shows what changed."
            )
        found[path] = dict(values)
    return found


def _param_values(dep: Any, files: dict[str, Any]) -> dict[str, Any]:
    """Return what `dep.read_params()` would, with every file parsed once."""
    import dpath

    if dep.fs_path not in files:
        files[dep.fs_path] = type(dep)(dep.stage, dep.fs_path, repo=dep.repo).read_params()
    content = files[dep.fs_path]
    if not dep.params:
        return dict(content)
    found = {}
    for name in dep.params:
        try:
            found[name] = dpath.get(content, name, separator=".")
        except KeyError:
            continue
    return found


def _plot_definitions(index: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for definitions in index._plots.values():
        for entry in definitions if isinstance(definitions, list) else [definitions]:
            named = entry if isinstance(entry, dict) else {entry: {}}
            for name, props in named.items():
                yield str(name), dict(props or {})


def _refuse_shared_outputs(root: Path, loaded: list[Any]) -> None:
    owners: dict[str, list[str]] = {}
    for stage in loaded:
        for out in stage.outs:
            owners.setdefault(_path(root, out), []).append(_name(root, stage))
    problems = [
        f"{path} is written by {' and '.join(names)}"
        for path, names in owners.items()
        if len(names) > 1
    ]
    if problems:
        headline = f"{root}: several stages write one path; give each its own, or `dvc remove` one:"
        raise DuplicateError(list_problems(headline, problems))


def _problem(root: Path, file: Path, error: Exception) -> str:
    """Return DVC's complaint with the file it is about and what to do next."""
    said = " ".join(str(error).split()) or type(error).__name__
    lock = file.with_name("dvc.lock")
    if "dvc.lock" in said:
        name = _relative(root, str(lock))
        hint = f"bring it back with `git checkout {name}`, or delete it and run `dvc repro`"
        file = lock
    elif "params" in said.lower() and not (root / "params.yaml").exists():
        hint = "bring it back with `git checkout params.yaml`"
        file = root / "params.yaml"
    else:
        hint = "mend it, then see `dvc stage list --all`"
    return f"{file}: {said.rstrip('.')}. Next: {hint}."


def _name(root: Path, stage: Any) -> str:
    file = _relative(root, stage.path)
    if not stage.cmd:
        return file
    return str(stage.name) if file == "dvc.yaml" else f"{file}:{stage.name}"


def _path(root: Path, item: Any) -> str:
    return _relative(root, item.fs_path) if item.protocol == "local" else str(item.def_path)


def _relative(root: Path, path: str) -> str:
    return Path(os.path.relpath(path, root)).as_posix()
