"""Where an output comes from: commit, library versions, processor, times; beside it, not in it.

What DVC hashes holds nothing of this. Else a commit alone, or another machine, would make every
output a new one and every later stage stale, though not a byte of the data changed. It is kept in
`.smar/provenance/` by the digest of the output, so that it is still right after a `dvc checkout`,
and a release takes it along.
"""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from smar.artifacts import MANIFEST, digest, write_json

_LIBRARIES = ("numpy", "pandas", "pyarrow", "torch", "transformers", "tokenizers", "faiss-cpu")


def record(root: Path, stage: str, outs: Iterable[str], times: Mapping[str, float]) -> None:
    """Keep where the outputs of a stage that has just run come from.

    Args:
        root: The project.
        stage: The stage.
        outs: What it wrote, relative to the root; directories and outcomes are remembered.
        times: What it measured of its own work, in seconds or whatever the name says.
    """
    facts = origin(root) | {"stage": stage, "made": _now(), "times": dict(times)}
    for out in outs:
        if (root / out / MANIFEST).is_file() or out.startswith("reports/outcomes/"):
            write_json(_place(root, root / out), facts | {"output": out})


def provenance(root: Path, path: Path) -> dict[str, Any]:
    """Return what is known of where an output comes from; {} if it was made elsewhere."""
    file = _place(root, path)
    if not file.is_file():
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def origin(folder: Path) -> dict[str, Any]:
    """Return the project's commit, "" without git, and the versions of all that computes."""
    return {"git_commit": _git_commit(folder), "versions": _versions()}


def _place(root: Path, path: Path) -> Path:
    return root / ".smar" / "provenance" / f"{digest(path)[:32]}.json"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "processor": _processor()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """Return the model of the CPU and how many of them this process may use.

    The same model on another processor, or on more of its cores, may differ in the last bits.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()} x {len(os.sched_getaffinity(0))}"


def _git_commit(folder: Path) -> str:
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - found on PATH, or not there
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
