"""Where a run's steps are executed: apart where a stage has work to do, together where none has."""

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_dvc.errors import DvcBridgeError
from dagster_dvc.private import MultiprocessExecutor, RetryMode, get_ready
from dagster_dvc.repository import open_repository


def build_executor(*, max_concurrent: int, preload: Sequence[str]) -> dg.ExecutorDefinition:
    """Return an executor that gives every step a process of its own if any stage changed.

    A step that runs a stage can then be killed alone, and independent stages run side by side. In
    a repository in which nothing changed there is nothing to kill or to wait for, and a process
    for each step would be most of the run's time. Step processes are copies of the run's, which
    has read the repository (on Linux; elsewhere system libraries do not bear a fork).

    Several repositories in one code location share an executor.

    Args:
        max_concurrent: Steps at the same time; 0 = number of processors.
        preload: Modules that are imported once, in the process that steps are copies of.
    """
    return _executor(max_concurrent, tuple(preload))


@cache
def _executor(max_concurrent: int, preload: tuple[str, ...]) -> dg.ExecutorDefinition:
    retries: dict[str, Any] = {"retries": {"enabled": {}}}

    @dg.executor(name="dvc", requirements=dg.multiple_process_executor_requirements())
    def executor(context: dg.InitExecutorContext) -> dg.Executor:
        stages = _stages_of(context)
        if stages and not _is_work(stages):
            made = dg.in_process_executor.executor_creation_fn
            assert made is not None  # noqa: S101 (it is defined by a function)
            return made(context._replace(executor_config=retries))
        if sys.platform == "linux":
            _import(preload)
            return MultiprocessExecutor(
                retries=RetryMode.ENABLED,
                max_concurrent=max_concurrent or None,
                start_method="fork",
            )
        made = dg.multiprocess_executor.executor_creation_fn
        assert made is not None  # noqa: S101 (it is defined by a function)
        config = retries | {
            "max_concurrent": max_concurrent,
            "start_method": {"forkserver": {"preload_modules": ["dagster", *preload]}},
        }
        return made(context._replace(executor_config=config))

    return executor


def _stages_of(context: dg.InitExecutorContext) -> dict[str, set[str]]:
    """Return the stages that a job's ops run, by the root of their repository."""
    found: dict[str, set[str]] = {}
    for node in context.job.get_definition().nodes:
        tags = node.definition.tags
        if "dvc/stage" in tags:
            found.setdefault(tags["dvc/root"], set()).update(tags["dvc/stage"].splitlines())
    return found


def _is_work(wanted: Mapping[str, set[str]]) -> bool:
    """Return whether a stage changed; what a run adds to .gitignore is written in order first."""
    is_work = False
    for root, names in wanted.items():
        try:
            repository = open_repository(Path(root))
        except DvcBridgeError:  # the step itself says what is wrong
            return True
        changed = [
            stage.name
            for stage in repository.manifest.stages.values()
            if stage.name in names
            and (stage.problem or repository.reasons(stage) or repository.uncommitted(stage))
        ]
        repository.ignore_outputs(changed)
        is_work = is_work or bool(changed)
    return is_work


def _import(modules: Sequence[str]) -> None:
    get_ready()
    for name in modules:
        import_module(name)
