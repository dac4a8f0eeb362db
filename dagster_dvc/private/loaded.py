"""A stage or .dvc file as DVC holds it, and the facts that are read from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dagster_dvc.manifest import Output


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
