"""Waiting for a path that another process of DVC holds."""

import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from dagster_pipes import PipesContext

from dagster_dvc.running.job import Report
from dagster_dvc.running.processes import Watch

_BUSY_PATH = re.compile(r"'([^']+)' is busy, it is being blocked by")
_HOLDER = re.compile(r"\(PID (\d+)\)")
_LOCK_FILE = re.compile(r"remove '(.+)' and try again")
_POLL_S = 0.5
_RETRY_S = 5.0  # where DVC does not say who holds what


def wait_until_free(
    report: Report, paths: Sequence[str], watch: Watch, pipes: PipesContext
) -> bool:
    """Wait while another process holds what the stage needs; False if it is told to stop.

    DVC does not wait for single paths: it gives up and says who holds which. What waits in this way
    costs nothing, and stages that share no path never get here. Who holds it is right; which path
    it is DVC may get wrong where a third process holds paths of its own, so the file of locks is
    asked.

    Args:
        report: Of the run of DVC that gave up.
        paths: What the stage reads and writes, from the working directory.
        watch: Says when to stop.
        pipes: Where it is told.
    """
    said = "\n".join(report.tail)
    named, file = _BUSY_PATH.search(said), _LOCK_FILE.search(said)
    holders = {int(pid) for pid in _HOLDER.findall(said)}
    path = named[1] if named else ""
    if file:
        wanted = [path, *map(os.path.abspath, paths)]
        path = next((one for one in wanted if is_locked(Path(file[1]), one, holders)), path)
    what = f"{path}, which is in use by process {', '.join(map(str, holders))}" if path else said
    pipes.log.info("waiting for %s", what)
    start = time.monotonic()
    while not watch.is_over():
        time.sleep(_POLL_S)
        if not path or file is None:
            is_held = time.monotonic() - start < _RETRY_S
        else:
            is_held = is_locked(Path(file[1]), path, holders)
        if not is_held:
            return True
    report.outcome, report.exit_code = "cancelled", 130
    return False


def is_locked(file: Path, path: str, holders: set[int]) -> bool:
    """Return whether one of some processes still holds a path in DVC's file of locks."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        return False
    except ValueError:  # about to be written: look again
        return True
    held = [*content.get("write", {}).items(), *content.get("read", {}).items()]
    for other, entries in held:
        pids = {entry["pid"] for entry in (entries if isinstance(entries, list) else [entries])}
        one, two = f"{other}/", f"{path}/"
        if (one.startswith(two) or two.startswith(one)) and any(
            psutil.pid_exists(pid) for pid in pids & holders
        ):
            return True
    return False
