"""Bringing back the last good outputs of a stage that did not finish."""

import subprocess
from pathlib import Path

from dagster_pipes import PipesContext

from dagster_dvc.running.job import waiting_for_lock
from dagster_dvc.running.processes import DVC

_MOST_KEPT = 2**20  # bytes


def restore(paths: list[str], pipes: PipesContext, *, is_everything: bool) -> list[str]:
    """Return which of the paths are back as dvc.lock last recorded them.

    DVC deletes outputs before it runs a stage; the cache still has them. What a failed stage left
    may tell why it failed and stays; what a cancelled one left is half of something.
    """
    wanted = [path for path in paths if is_everything or not Path(path).exists()]
    if not wanted:
        return []
    command = [*DVC, *waiting_for_lock(), "checkout", "--force", *wanted]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    back = [path for path in wanted if Path(path).exists()]
    if back:
        pipes.log.warning("brought back the last good %s", ", ".join(back))
    if result.returncode:
        pipes.log.warning("`dvc checkout` said: %s", result.stderr.strip())
    return back


def remember(paths: list[str]) -> dict[str, bytes]:
    """Return the content of small files that DVC will delete and has no copy of."""
    files = [Path(path) for path in paths]
    return {
        str(file): file.read_bytes()
        for file in files
        if file.is_file() and file.stat().st_size <= _MOST_KEPT
    }


def put_back(contents: dict[str, bytes]) -> list[str]:
    """Write remembered files that are missing; return which."""
    missing = [path for path in contents if not Path(path).exists()]
    for path in missing:
        Path(path).write_bytes(contents[path])
    return missing
