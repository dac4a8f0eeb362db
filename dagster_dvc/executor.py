"""Where a run's steps are executed: apart where a stage has work to do, together where none has."""

import sys
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_dvc.errors import DvcBridgeError
from dagster_dvc.private import MultiprocessExecutor, RetryMode, get_ready
from dagster_dvc.repository import open_repository

_PRELOAD = ("dagster_dvc.running.launch", "dvc.cli.parser", "dvc.commands.repro")


def say_how(root: Path, *, max_concurrent: int, preload: Sequence[str]) -> None:
    """Say how steps of a repository are run.

    A run of several repositories takes the least of their numbers, and all of their modules.

    Args:
        root: Root folder of the repository.
        max_concurrent: Steps at the same time; 0 = number of processors.
        preload: Modules that are imported once, in the process that steps are copies of.
    """
    _said[str(root.resolve())] = (max_concurrent, tuple(preload))


_said: dict[str, tuple[int, tuple[str, ...]]] = {}


def _how(roots: Collection[str]) -> tuple[int, list[str]]:
    """Return what was said of some repositories, of all where a run has stages of none."""
    said = [_said[root] for root in roots if root in _said] or [*_said.values()]
    modules = dict.fromkeys(name for _, preload in said for name in preload)
    return min((number for number, _ in said if number), default=0), [*_PRELOAD, *modules]


@dg.executor(name="dvc", requirements=dg.multiple_process_executor_requirements())
def dvc_executor(context: dg.InitExecutorContext) -> dg.Executor:
    """Give every step a process of its own if any stage changed.

    A step that runs a stage can then be killed alone, and independent stages run side by side. In
    a repository in which nothing changed there is nothing to kill or to wait for, and a process
    for each step would be most of the run's time. Step processes are copies of the run's, which
    has read the repository (on Linux; elsewhere system libraries do not bear a fork).

    There is one for all repositories of a code location, which takes no more.
    """
    retries: dict[str, Any] = {"retries": {"enabled": {}}}
    stages = _stages_of(context)
    if stages and not _is_work(stages):
        made = dg.in_process_executor.executor_creation_fn
        assert made is not None  # noqa: S101 (it is defined by a function)
        return made(context._replace(executor_config=retries))
    max_concurrent, preload = _how(stages)
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
