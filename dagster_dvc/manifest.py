"""A DVC repository as plain, typed facts: stages, parameters, and what dvc.lock recorded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from dagster_dvc.errors import ManifestError

OutputKind = Literal["data", "metric", "plot"]


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What dvc.lock says about a path.

    Args:
        md5: DVC's hash; of a directory it ends in ".dir".
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
        cmd: The commands that ran.
        params: Values by file and key.
        deps: What was read, by path.
        outs: What was written, by path.
    """

    cmd: tuple[str, ...]
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
        cmd: Its commands.
        is_frozen: Whether DVC ignores changes of what it reads.
        is_always_changed: Whether DVC runs it every time.
        deps: Paths it reads.
        params: Current values by file and key.
        outs: What it writes.
        upstream: Names of the stages whose outputs it reads.
        lock: Its last successful run, None before the first.
    """

    name: str
    file: str
    local_name: str
    template: str
    desc: str
    meta: Mapping[str, Any]
    cmd: tuple[str, ...]
    is_frozen: bool
    is_always_changed: bool
    deps: tuple[str, ...]
    params: Mapping[str, Mapping[str, Any]]
    outs: tuple[Output, ...]
    upstream: tuple[str, ...]
    lock: Lock | None


@dataclass(frozen=True, kw_only=True)
class Source:
    """A path that is read by a stage and written by none.

    Args:
        path: Relative to the root.
        tracked_by: The .dvc file that tracks it, "" if none does.
        recorded: What that .dvc file says about it.
    """

    path: str
    tracked_by: str = ""
    recorded: Recorded | None = None


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
        outs = [out.path for out in self.stages[upstream].outs]
        return [dep for dep in stage.deps if any(overlaps(dep, out) for out in outs)]


def overlaps(one: str, other: str) -> bool:
    """Return whether two paths are equal or one lies within the other."""
    a, b = PurePosixPath(one), PurePosixPath(other)
    return a == b or a in b.parents or b in a.parents
