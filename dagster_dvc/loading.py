"""Reads a DVC repository into a manifest.

DVC's own loader does the work (foreach, matrix, vars, several commands, .dvc files, lock), so the
bridge understands exactly what `dvc repro` understands. Nothing here takes DVC's lock.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from dagster_dvc.errors import DuplicateError, ManifestError, list_problems
from dagster_dvc.locks import Locks, lock_of, read_lock, stamp
from dagster_dvc.manifest import Manifest, Source, Stage
from dagster_dvc.paths import PathIndex, is_inside
from dagster_dvc.private import AmbiguousError, Loaded, Reader, reason
from dagster_dvc.problems import located, problem_text


def read(root: Path) -> tuple[Reader, Manifest, Locks]:
    """Return DVC's view of a repository, its manifest, and what its lock files say.

    Raises:
        ManifestError: If a file is missing or broken; every broken file is listed.
        DuplicateError: If several stages write one path; every such path is listed.
    """
    if not (root / ".dvc").is_dir():
        raise ManifestError(f"{root}: not a DVC repository (no .dvc folder). Run `dvc init` there.")
    problems: list[str] = []
    reader = Reader(root, lambda file, *said: problems.append(problem_text(root, file, *said)))
    if problems:
        raise ManifestError(list_problems(f"{root}: the pipeline cannot be read:", problems))
    locks = {file: read_lock(root / file) for file in _pipeline_files(reader.loaded)}
    return reader, _assemble(root, reader, locks), locks


def stamps(root: Path, reader: Reader) -> dict[str, int]:
    """Return when the files that a manifest came from were written, but for lock files; 0 if gone.

    Files of variables count, and those that only a template reads.
    """
    files = set(reader.files)
    for entry in reader.loaded:
        files |= {*entry.params, *entry.used}
    for file in reader.files:
        if not file.endswith(".dvc"):
            files |= set(_variable_files(root, file, reader.contents.get(file)))
    return {file: stamp(root / file) for file in sorted(files)}


def _variable_files(root: Path, file: str, content: dict[str, Any] | None) -> Iterator[str]:
    """Yield the files that the `vars` of a dvc.yaml name, and the one that needs no naming."""
    folder = (root / file).parent
    if content is None:
        try:
            content = yaml.load((root / file).read_bytes(), yaml.CSafeLoader) or {}
        except (OSError, yaml.YAMLError):
            return
    stages = [s.get("do", s) for s in (content.get("stages") or {}).values() if isinstance(s, dict)]
    named = [*(content.get("vars") or []), *(v for s in stages for v in s.get("vars") or [])]
    for name in ["params.yaml", *(str(n).split(":")[0] for n in named if isinstance(n, str))]:
        yield Path(os.path.relpath(folder / name, root)).as_posix()


def _pipeline_files(loaded: Iterable[Loaded]) -> list[str]:
    return list(dict.fromkeys(entry.file for entry in loaded if entry.local_name))


def _assemble(root: Path, reader: Reader, locks: Locks) -> Manifest:
    """Return the manifest: stages in the order they would run."""
    loaded = reader.loaded
    written = PathIndex((o.path, (place, o.path)) for place, e in enumerate(loaded) for o in e.outs)
    _refuse_shared_outputs(root, reader, written)
    above = [
        {
            place
            for path in [*entry.deps, *entry.params]
            for place, _ in written.overlapping(path)
            if not (entry.is_import and entry.file.endswith(".dvc"))
        }
        for entry in loaded
    ]
    order = _order(root, reader, above)
    names = [entry.name for entry in loaded]
    tracked = _last_dvc_files(loaded, above)
    values = _values(root, reader, written)
    stages = {}
    for place in order:
        entry = loaded[place]
        if not entry.cmd:
            continue
        ups = [] if entry.is_frozen else sorted(n for n in above[place] if loaded[n].cmd)
        data = [] if entry.is_frozen else sorted(tracked[place])
        stage = _stage(entry, values[place], [names[n] for n in ups], [names[n] for n in data])
        locked = locks.get(entry.file, {}).get(entry.local_name)
        stages[stage.name] = replace(stage, lock=lock_of(entry, locked) if locked else None)
    return Manifest(
        root=root, stages=stages, sources=_sources(loaded, written), plots=_plots(reader.plots)
    )


def _order(root: Path, reader: Reader, above: Sequence[set[int]]) -> list[int]:
    """Return the places of stages in DVC's order; the files' own where that is open."""
    sorter = TopologicalSorter(dict.fromkeys(range(len(above)), ()))
    for place, ups in enumerate(above):
        sorter.add(place, *sorted(ups))
    order: list[int] = []
    try:
        sorter.prepare()
    except CycleError as error:
        said = reader.graph_error()
        raise ManifestError(problem_text(root, root / "dvc.yaml", *said)) from error
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return order


def _last_dvc_files(loaded: Sequence[Loaded], above: Sequence[set[int]]) -> list[set[int]]:
    """Return the .dvc files that each stage reads from; frozen imports stay as they are."""
    return [
        {n for n in ups if not loaded[n].cmd and not (loaded[n].is_import and loaded[n].is_frozen)}
        for ups in above
    ]


def _values(
    root: Path, reader: Reader, written: PathIndex[tuple[int, str]]
) -> list[tuple[dict[str, dict[str, Any]], tuple[str, ...], str]]:
    """Return the values of every stage's parameters, the files that stages write, and what lacks.

    Raises:
        ManifestError: If a file of parameters cannot be parsed; all are listed.
    """
    found: list[tuple[dict[str, dict[str, Any]], tuple[str, ...], str]] = []
    broken: dict[str, str] = {}
    for entry in reader.loaded:
        made = tuple(path for path in entry.params if any(written.overlapping(path)))
        try:
            values = reader.param_values(entry)
        except AmbiguousError as error:
            found.append(({}, made, f"{error}. Name its keys one by one in dvc.yaml."))
            continue
        except Exception as error:  # noqa: BLE001 - any parser of DVC's may raise anything
            paths = list(entry.params)
            first = next((path for path in paths if f"{path}'" in str(error)), paths[0])
            broken[first] = problem_text(root, root / first, *reason(error))
            found.append(({}, made, ""))
            continue
        problem = located(root, root / entry.file, entry.problem) if entry.problem else " ".join(
            _lacks(root, path, [key for key in keys if key not in values[path]])
            for path, (_, keys) in entry.params.items()
            if path not in made and (not values[path] or set(keys) - set(values[path]))
            and (keys or not (root / path).is_file())
        )  # fmt: skip
        found.append((values, made, problem))
    if broken:
        raise ManifestError(
            list_problems(f"{root}: parameters cannot be read:", [*broken.values()])
        )
    return found


def _lacks(root: Path, path: str, keys: Sequence[str]) -> str:
    if not (root / path).is_file():
        return f"{path}: not found. Bring it back with `git checkout {path}`."
    return f"{path}: lacks {', '.join(keys)}. Add it, or take it out of dvc.yaml."


def _stage(
    entry: Loaded,
    values: tuple[dict[str, dict[str, Any]], tuple[str, ...], str],
    upstream: list[str],
    tracked: list[str],
) -> Stage:
    template, found, _ = entry.local_name.rpartition("@")
    params, written, problem = values
    return Stage(
        name=entry.name,
        file=entry.file,
        local_name=entry.local_name,
        template=template if found else "",
        desc=entry.desc,
        meta=entry.meta if isinstance(entry.meta, Mapping) else {"meta": entry.meta},
        cmd=entry.cmd,
        is_frozen=entry.is_frozen,
        is_always_changed=entry.is_always_changed,
        deps=tuple(entry.deps),
        params=params,
        written_params=written,
        outs=entry.outs,
        upstream=tuple(upstream),
        tracked=tuple(tracked),
        lock=None,
        problem=problem,
    )


def _sources(loaded: Sequence[Loaded], written: PathIndex[tuple[int, str]]) -> dict[str, Source]:
    """Return what is read and not written: plain paths, addresses, and what .dvc files track."""
    tracked = {o.path: e.file for e in loaded if not e.cmd for o in e.outs}
    found = {}
    read = {path for e in loaded if e.cmd for path in e.deps}
    for path in sorted(read | set(tracked)):
        if not any(loaded[place].cmd for place, _ in written.overlapping(path)):
            found[path] = Source(
                path=path, tracked_by=tracked.get(path, ""), is_outside=not is_inside(path)
            )
    return found


def _plots(definitions: Iterable[Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for definition in definitions:
        for entry in definition if isinstance(definition, list) else [definition]:
            named = entry if isinstance(entry, dict) else {entry: {}}
            found |= {str(name): dict(props or {}) for name, props in named.items()}
    return found


def _refuse_shared_outputs(root: Path, reader: Reader, written: PathIndex[tuple[int, str]]) -> None:
    owners: defaultdict[str, list[str]] = defaultdict(list)
    is_nested = False
    for entry in reader.loaded:
        for out in entry.outs:
            owners[out.path].append(entry.name)
            is_nested = is_nested or any(True for _ in written.above(out.path))
        is_nested = is_nested or any(True for _ in written.above(entry.file))
    problems = [
        f"{path} is written by {' and '.join(names)}"
        for path, names in owners.items()
        if len(names) > 1
    ]
    if problems:
        headline = f"{root}: several stages write one path; give each its own, or `dvc remove` one:"
        raise DuplicateError(list_problems(headline, problems))
    if is_nested and (said := reader.graph_error())[0]:
        raise ManifestError(problem_text(root, root / "dvc.yaml", *said))
