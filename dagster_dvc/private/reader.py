"""Stages, .dvc files, graph and parameters, read by DVC's own loader."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from dagster_dvc.manifest import Output, OutputKind
from dagster_dvc.private.loaded import Loaded
from dagster_dvc.private.reasons import file_of, reason
from dagster_dvc.private.speed import lookup, quick_loading

Problem = Callable[[Path, str, str], None]


class AmbiguousError(Exception):
    """A key of parameters that stands for several."""


@contextmanager
def _errors_of_dvc() -> Iterator[None]:
    """Have whatever DVC meets in a file be an error of that file.

    Dates in a file of variables, addresses of a cloud whose package is not installed and nesting
    without end are errors of Python to DVC, which ends with them.
    """
    from dvc.exceptions import DvcException
    from dvc.repo.index import Index

    plain = Index.from_file

    def from_file(repo: Any, path: str) -> Any:
        try:
            return plain(repo, path)
        except (TypeError, ValueError, OSError, RecursionError, ImportError) as error:
            raise DvcException(f"{type(error).__name__}: {error}") from error

    Index.from_file = from_file
    try:
        yield
    finally:
        Index.from_file = plain


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
        self.contents: dict[str, dict[str, Any]] = {}  # of the dvc.yaml that hold stages
        self._parsed: dict[str, tuple[int, Any]] = {}
        self._on_problem = on_problem
        try:
            self.repo = Repo(self.root)
            with quick_loading(), _errors_of_dvc():
                # DVC's own collection: what git or .dvcignore leave out is left out.
                for path, index in collect_files(self.repo, self._on_broken_file):
                    self.files.append(self._relative(path))
                    self.loaded += [self._facts(stage) for stage in index.stages]
                    self.plots += index._plots.values()
                    if path.endswith(".yaml") and index.stages:
                        self.contents[self.files[-1]] = index.stages[0].dvcfile.contents
        except DvcException as error:
            on_problem(file_of(error, root), *reason(error))
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
            self._on_problem(file_of(error, file), *reason(error))

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
            written = dvcfile.contents["stages"][name]
            try:
                names = [name] if is_plain else list(definition.get_generated_names())
            except DvcException as error:  # what it runs over is not known
                yield self._broken(file, name, written, reason(error)[0])
                continue
            for single in names:
                try:
                    made = self._facts(stages[single])
                except DvcException as error:
                    made = self._broken(file, single, written, reason(error)[0])
                yield made

    def _broken(self, file: Path, name: str, written: Mapping[str, Any], why: str) -> Loaded:
        """Return what can be told of a stage whose templates do not resolve."""
        content = written.get("do", written)
        outs = [next(iter(o)) if isinstance(o, Mapping) else o for o in content.get("outs") or []]
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
                found[name] = lookup(content, name)
            except KeyError:
                continue
        return found

    def param_values(self, entry: Loaded) -> dict[str, dict[str, Any]]:
        """Return the present values of a stage's parameters by file.

        Raises:
            DvcException: If a file cannot be parsed.
            AmbiguousError: If a key with a star stands for several; DVC lists the stage and cannot
                run it.
        """
        from dvc.dependency import ParamsDependency

        deps = [d for d in getattr(entry.stage, "deps", ()) if isinstance(d, ParamsDependency)]
        found = {}
        for dep in deps:
            try:
                found[self.path(dep)] = dict(dep.read_params())
            except ValueError as error:
                if "globs must match only one" in str(error):
                    raise AmbiguousError(f"{self.path(dep)}: {error}") from error
                raise
        return found

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
