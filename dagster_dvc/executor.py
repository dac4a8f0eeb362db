"""Where a run's steps are executed: apart where a stage has work to do, together where none has."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_dvc.loading import load_once
from dagster_dvc.versions import Hasher, changes


def build_executor(
    root: Path, *, max_concurrent: int, preload: Sequence[str]
) -> dg.ExecutorDefinition:
    """Return an executor that gives every step a process of its own if any stage changed.

    A step that runs a stage can then be killed alone, and independent stages run side by side. In
    a repository in which nothing changed there is nothing to kill or to wait for, and a process
    for each step would be most of the run's time.

    Args:
        root: The DVC repository.
        max_concurrent: Steps at the same time; 0 = number of processors.
        preload: Modules that are imported once, in the process that steps are forked from.
    """
    retries: dict[str, Any] = {"retries": {"enabled": {}}}
    apart = {
        "max_concurrent": max_concurrent,
        "start_method": {"forkserver": {"preload_modules": list(preload)}},
    }

    @dg.executor(name="dvc", requirements=dg.multiple_process_executor_requirements())
    def executor(context: dg.InitExecutorContext) -> dg.Executor:
        manifest = load_once(root)
        changed = bool(changes(manifest, list(manifest.stages), Hasher(root)))
        chosen, config = (
            (dg.multiprocess_executor, retries | apart)
            if changed
            else (dg.in_process_executor, retries)
        )
        made = chosen.executor_creation_fn
        assert made is not None  # noqa: S101 (both are defined by a function)
        return made(context._replace(executor_config=config))

    return executor
