"""All contact with what DVC and Dagster do not document. Nothing else imports it from them.

DVC's Python API (`dvc.api`) opens files and reads parameters; it knows no stages, no graph and no
status, so that the bridge has to read DVC's own objects. What is imported at the top is
what Dagster keeps to itself.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

# Tags of events and of versions: the API to set an event's input versions is not public.
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

# What a job is before it is resolved; only its name is documented.
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

# How a step is told to stop: it has to be caught, to stop the stage's processes.
from dagster._core.errors import DagsterExecutionInterruptedError

# The documented executor cannot fork, which is what makes a step cheap.
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.multiprocess import MultiprocessExecutor

# How YAML of a component becomes a change of a spec, as in Dagster's own integrations.
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver

from dagster_dvc.manifest import Output, OutputKind

__all__ = [
    "CODE_VERSION_TAG",
    "DATA_VERSION_IS_USER_PROVIDED_TAG",
    "DATA_VERSION_TAG",
    "NULL_EVENT_POINTER",
    "DagsterExecutionInterruptedError",
    "MultiprocessExecutor",
    "RetryMode",
    "TranslationFn",
    "TranslationFnResolver",
    "UnresolvedAssetJobDefinition",
    "get_input_data_version_tag",
    "get_input_event_pointer_tag",
]

logger = logging.getLogger(__name__)
Problem = Callable[[Path, str, str], None]


@dataclass(kw_only=True)
class Loaded:
    """A stage or .dvc file as DVC holds it, and the facts that are read from it.

    Args:
        stage: DVC's object, None for a stage that DVC cannot resolve.
        file: Its file, relative to the root.
        local_name: Its name inside of the file, "" in a .dvc file.
        cmd: What it runs, as in dvc.yaml; "" for data.
        deps: Path -> what dvc.lock calls it.
        params: File of parameters -> (what dvc.lock calls it, the keys; none for all).
        outs: What it writes.
        out_names: Path of an output -> what dvc.lock calls it.
        problem: Why it cannot run, "" if it can.
        used: Files whose variables it was made with.
    """

    stage: Any
    file: str
    local_name: str
    cmd: str | list[str] = ""
    desc: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    is_frozen: bool = False
    is_always_changed: bool = False
    is_import: bool = False
    deps: dict[str, str] = field(default_factory=dict)
    params: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    outs: tuple[Output, ...] = ()
    out_names: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    used: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the target of `dvc repro`."""
        if not self.local_name:
            return self.file
        return self.local_name if self.file == "dvc.yaml" else f"{self.file}:{self.local_name}"


class Reader:
    """DVC's own view of a repository, read once.

    Args:
        root: Its root folder, absolute.
        on_problem: Called with file, DVC's reason and DVC's hint for everything that is broken.
    """

    def __init__(self, root: Path, on_problem: Problem) -> None:
        from dvc.exceptions import DvcException
        from dvc.repo import Repo
        from dvc.repo.index import collect_files

        self.root = str(root)
        self.loaded: list[Loaded] = []
        self.plots: list[Any] = []
        self.files: list[str] = []
        self._parsed: dict[str, tuple[int, Any]] = {}
        self._on_problem = on_problem
        try:
            self.repo = Repo(self.root)
            # DVC's own collection: what git or .dvcignore leave out is left out.
            for path, index in collect_files(self.repo, self._on_broken_file):
                self.files.append(self._relative(path))
                self.loaded += [self._facts(stage) for stage in index.stages]
                self.plots += index._plots.values()
        except DvcException as error:
            on_problem(root, *reason(error))
        else:
            self.repo.close()

    def _on_broken_file(self, path: str, error: Exception) -> None:
        """Take in the stages of a file one by one if one of them alone is broken."""
        from dvc.parsing import ResolveError

        file = Path(path).resolve()
        singles = list(self._one_by_one(file)) if isinstance(error, ResolveError) else []
        if any(not entry.problem for entry in singles) or len(singles) > 1:
            self.files.append(self._relative(str(file)))
            self.loaded += singles
        else:
            self._on_problem(file, *reason(error))

    def _one_by_one(self, file: Path) -> Iterator[Loaded]:
        from dvc.dvcfile import load_file
        from dvc.exceptions import DvcException
        from dvc.parsing import EntryDefinition

        try:
            dvcfile = load_file(self.repo, str(file))
            stages, definitions = dvcfile.stages, dvcfile.resolver.definitions
        except DvcException:
            return
        for name, definition in definitions.items():
            is_plain = isinstance(definition, EntryDefinition)
            try:
                names = [name] if is_plain else list(definition.get_generated_names())
                made = [self._facts(stages[single]) for single in names]
            except DvcException as error:
                yield self._broken(file, name, definition.definition, reason(error)[0])
            else:
                yield from made

    def _broken(self, file: Path, name: str, written: Mapping[str, Any], why: str) -> Loaded:
        """Return what can be told of a stage whose templates do not resolve."""
        content = written.get("do", written)
        outs = [next(iter(o)) if isinstance(o, Mapping) else o for o in content.get("outs", [])]
        folder = (file.parent / str(content.get("wdir", "."))).resolve()
        known = [str(out) for out in outs if "${" not in f"{out}{content.get('wdir', '')}"]
        return Loaded(
            stage=None,
            file=self._relative(str(file)),
            local_name=name,
            cmd=content.get("cmd", ""),
            desc=str(content.get("desc", "")).strip(),
            meta=content.get("meta") or {},
            outs=tuple(Output(path=self._relative(str(folder / out))) for out in known),
            problem=why,
        )

    def _facts(self, stage: Any) -> Loaded:
        from dvc.dependency import ParamsDependency

        params = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
        for dep in params:  # else DVC parses the file once for every stage
            dep.read_params = partial(self._read_params, dep)
        return Loaded(
            stage=stage,
            file=self._relative(stage.path),
            local_name=str(getattr(stage, "name", None) or ""),
            cmd=stage.cmd or "",
            desc=(stage.desc or "").strip(),
            meta=stage.meta or {},
            is_frozen=bool(stage.frozen),
            is_always_changed=bool(stage.always_changed or stage.is_callback),
            is_import=bool(stage.is_import),
            deps={
                self.path(d): d.def_path for d in stage.deps if not isinstance(d, ParamsDependency)
            },
            params={self.path(dep): (dep.def_path, tuple(dep.params)) for dep in params},
            outs=tuple(self._output(out) for out in stage.outs),
            out_names={self.path(out): out.def_path for out in stage.outs},
            used=tuple(self._relative(f) for f in getattr(stage, "tracked_vars", None) or ()),
        )

    def _output(self, out: Any) -> Output:
        kind: OutputKind = "metric" if out.metric else "plot" if out.plot else "data"
        return Output(
            path=self.path(out),
            kind=kind,
            is_cached=bool(out.use_cache),
            is_kept=bool(out.persist),
            plot=out.plot if isinstance(out.plot, dict) else {},
        )

    def path(self, item: Any) -> str:
        """Return where a dependency or output lies: relative to the root, or its address."""
        from dvc.dependency import DatasetDependency

        if item.protocol == "local" and not isinstance(item, DatasetDependency):
            return self._relative(item.fs_path)
        return str(item.def_path)

    def _relative(self, path: str) -> str:
        if path.startswith(f"{self.root}/"):
            return path[len(self.root) + 1 :]
        return Path(os.path.relpath(path, self.root)).as_posix()

    def _read_params(self, dep: Any, flatten: bool = True) -> dict[str, Any]:
        """Return what `dep.read_params()` would, with every file parsed once."""
        import dpath

        try:
            stamp = os.stat(dep.fs_path).st_mtime_ns  # noqa: PTH116 - called once a parameter
        except OSError:
            return {}
        if self._parsed.get(dep.fs_path, (0, None))[0] != stamp:
            whole = type(dep)(dep.stage, dep.fs_path, repo=dep.repo).read_params()
            self._parsed[dep.fs_path] = (stamp, whole)
        content = self._parsed[dep.fs_path][1]
        if not dep.params:
            return dict(content)
        found = {}
        for name in dep.params:
            try:
                found[name] = dpath.get(content, name, separator=".")
            except KeyError:
                continue
        return found

    def param_values(self, entry: Loaded) -> dict[str, dict[str, Any]]:
        """Return the present values of a stage's parameters by file.

        Raises:
            DvcException: If a file cannot be parsed.
        """
        from dvc.dependency import ParamsDependency

        deps = [d for d in getattr(entry.stage, "deps", ()) if isinstance(d, ParamsDependency)]
        return {self.path(dep): dict(dep.read_params()) for dep in deps}

    def graph_error(self) -> tuple[str, str]:
        """Return DVC's reason against the graph: cycles, overlapping outputs."""
        from dvc.exceptions import DvcException
        from dvc.repo.graph import build_graph

        try:
            build_graph([entry.stage for entry in self.loaded if entry.stage is not None])
        except DvcException as error:
            return reason(error)
        return ("", "")

    def edges(self) -> set[tuple[str, str]]:
        """Return the edges of DVC's own graph between stages, as pairs of names, to compare with.

        As in `dvc repro`, a frozen stage has none to what it reads.
        """
        from dvc.repo.graph import build_graph
        from dvc.repo.reproduce import get_active_graph

        entries = {entry.stage: entry for entry in self.loaded if entry.stage is not None}
        graph = get_active_graph(build_graph(list(entries)))
        pairs = [(entries[one], entries[other]) for one, other in graph.edges]
        return {(one.name, other.name) for one, other in pairs if one.cmd and other.cmd}


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
    except (DvcException, OSError) as error:  # an address that does not answer
        yield str(item), f"cannot be compared: {reason(error)[0]}"
        return
    for path, state in said.items():
        if isinstance(state, Mapping):
            yield from ((f"{path}: {key}", value) for key, value in state.items())
        else:
            yield path, str(state)


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


def hash_address(entry: Loaded, name: str) -> str:
    """Return what DVC would record of a dependency that is no local path, such as an ETag."""
    for dep in entry.stage.deps:
        if dep.def_path == name:
            return str(dep.get_hash().value)
    raise KeyError(name)


def set_param(root: Path, file: str, name: str, value: str) -> None:
    """Write a parameter into its file as `dvc exp run -S` does, comments kept."""
    from dvc.utils.hydra import apply_overrides

    apply_overrides(str(root / file), [f"{name}='{value}'"])


def run_command(arguments: list[str]) -> int:
    """Run a command of DVC in this process; return its exit code."""
    import dvc.logger
    from dvc.cli import main

    for name in ("dvc", "dvc_objects", "dvc_data"):
        logging.getLogger(name).handlers.clear()  # of the process that this one is a copy of
    dvc.logger.setup(logging.INFO)

    return int(main(arguments))


def ignore_outputs(loaded: Iterable[Loaded]) -> None:
    """Write the entries of .gitignore that running these stages would, in their order."""
    for entry in loaded:
        if entry.stage is not None and entry.cmd:
            entry.stage.ignore_outs()


def _line_of(data: Any, path: list[Any]) -> int | None:
    """Return the line in which a key of parsed YAML stands."""
    from dvc.utils.strictyaml import determine_linecol

    above = data
    for key in path[:-1]:
        above = above[key] if isinstance(above, dict | list) else None
    try:
        return int(above.lc.data[path[-1]][0]) + 1
    except (AttributeError, KeyError, IndexError, TypeError):
        line, _, _ = determine_linecol(data, path)
        return line


def reason(error: BaseException) -> tuple[str, str]:
    """Return DVC's reason with line and key where it knows them, and its own hint."""
    from dvc.utils import strictyaml

    said = " ".join(str(error).split()) or type(error).__name__
    cause = getattr(error, "__cause__", None)
    if isinstance(error, strictyaml.YAMLValidationError):
        data = strictyaml.parse_yaml_for_update(error.text, error.path)
        for problem in error.exc.errors:
            line = _line_of(data, list(problem.path))
            key = ".".join(str(part) for part in problem.path)
            said += f"; line {line or '?'}, key '{key}': {problem.error_message}"
    elif isinstance(error, strictyaml.YAMLSyntaxError):
        marked = getattr(error.exc, "__cause__", None) or error.exc
        mark = getattr(marked, "problem_mark", None)
        if mark is not None:
            said += f"; line {mark.line + 1}: {getattr(marked, 'problem', '')}"
    elif cause is not None and str(cause) and str(cause) not in said:
        said += f": {' '.join(str(cause).split())}"
    return said, str(getattr(error, "hint", "") or "")
