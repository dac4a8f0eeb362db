"""A DVC repository as plain, typed facts: stages, parameters, and what dvc.lock recorded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from dagster_dvc.errors import ManifestError
from dagster_dvc.paths import PathIndex

OutputKind = Literal["data", "metric", "plot"]


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What dvc.lock says about a path.

    Args:
        md5: DVC's hash; of a directory it ends in ".dir", of an address it may be an ETag.
        size: Bytes, None if unknown.
        num_files: Files of a directory, None for a file.
    """

    md5: str
    size: int | None = None
    num_files: int | None = None


@dataclass(frozen=True, kw_only=True)
class Output:
    """Something a stage writes.

    Args:
        path: Relative to the root of the repository.
        kind: What dvc.yaml declares it as.
        is_cached: Whether DVC keeps a copy that `dvc checkout` can bring back.
        is_kept: Whether DVC leaves it in place when the stage runs again (`persist`).
        plot: Properties of a plot, such as x and y.
    """

    path: str
    kind: OutputKind = "data"
    is_cached: bool = True
    is_kept: bool = False
    plot: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Lock:
    """The entry of a stage in dvc.lock: the state of its last successful run.

    Args:
        cmd: The command or commands that ran, as dvc.lock has them.
        params: Values by file and key.
        deps: What was read, by path.
        outs: What was written, by path.
    """

    cmd: str | list[str]
    params: Mapping[str, Mapping[str, Any]]
    deps: Mapping[str, Recorded]
    outs: Mapping[str, Recorded]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage that can be run.

    Args:
        name: The target of `dvc repro`: "train", "train@a", "sub/dvc.yaml:train".
        file: The dvc.yaml it is written in, relative to the root.
        local_name: The name inside that file.
        template: Name of the foreach or matrix stage it comes from, "" for a plain one.
        desc: Its description, "" if it has none.
        meta: What dvc.yaml says under `meta`.
        cmd: Its command or commands, as dvc.yaml has them.
        is_frozen: Whether DVC ignores changes of what it reads.
        is_always_changed: Whether DVC runs it every time.
        deps: Paths and addresses it reads.
        params: Current values by file and key; keys that are missing are missing here.
        written_params: Files of parameters that another stage writes.
        outs: What it writes.
        upstream: Names of the stages whose outputs it reads.
        tracked: The .dvc files whose data it reads, and which DVC commits before it runs.
        lock: Its last successful run, None before the first.
        problem: Why it cannot run as it is written, "" if it can.
    """

    name: str
    file: str
    local_name: str
    template: str
    desc: str
    meta: Mapping[str, Any]
    cmd: str | list[str]
    is_frozen: bool
    is_always_changed: bool
    deps: tuple[str, ...]
    params: Mapping[str, Mapping[str, Any]]
    written_params: tuple[str, ...]
    outs: tuple[Output, ...]
    upstream: tuple[str, ...]
    tracked: tuple[str, ...]
    lock: Lock | None
    problem: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """Return its commands, one a line."""
        lines = self.cmd if isinstance(self.cmd, list) else self.cmd.splitlines()
        return tuple(line for line in map(str, lines) if line.strip())

    @property
    def item(self) -> str:
        """Return which of its template's stages it is, "a" of "train@a"; "" for a plain one."""
        return self.local_name[len(self.template) + 1 :] if self.template else ""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A path or address that is read by a stage and written by none.

    Args:
        path: Relative to the root, or an address such as "s3://bucket/key".
        tracked_by: The .dvc file that tracks it, "" if none does.
        is_outside: Whether it lies outside of the repository.
    """

    path: str
    tracked_by: str = ""
    is_outside: bool = False


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A DVC repository.

    Args:
        root: Absolute path of its root folder.
        stages: By name, each after what it reads.
        sources: By path.
        plots: Top-level plot definitions, by name.
    """

    root: Path
    stages: Mapping[str, Stage]
    sources: Mapping[str, Source]
    plots: Mapping[str, Mapping[str, Any]]

    def stage(self, name: str) -> Stage:
        """Return a stage.

        Raises:
            ManifestError: If there is none of that name; the message lists what there is.
        """
        try:
            return self.stages[name]
        except KeyError:
            known = ", ".join(self.stages) or "none"
            raise ManifestError(
                f"{self.root / 'dvc.yaml'}: no stage '{name}'; there are: {known}. "
                "`dvc stage list --all` shows them."
            ) from None

    def dependencies_on(self, stage: Stage, upstream: str) -> list[str]:
        """Return the paths that a stage reads from another one."""
        return [
            path
            for path in [*stage.deps, *stage.written_params]
            if any(name == upstream for name, _ in self.written.overlapping(path))
        ]

    @cached_property
    def written(self) -> PathIndex[tuple[str, str]]:
        """Return the outputs: name of the stage and path, by path."""
        return PathIndex(
            (out.path, (stage.name, out.path))
            for stage in self.stages.values()
            for out in stage.outs
        )

    @cached_property
    def read(self) -> PathIndex[str]:
        """Return the names of stages, by the paths that they read."""
        return PathIndex(
            (path, stage.name)
            for stage in self.stages.values()
            for path in [*stage.deps, *stage.written_params]
        )

    @cached_property
    def items(self) -> Mapping[tuple[str, str], list[Stage]]:
        """Return the stages of every foreach or matrix stage, by its file and name."""
        found: dict[tuple[str, str], list[Stage]] = {}
        for stage in self.stages.values():
            if stage.template:
                found.setdefault((stage.file, stage.template), []).append(stage)
        return found
