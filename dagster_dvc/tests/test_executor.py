"""Steps have processes of their own where there is something to kill or to wait for."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob

from dagster_dvc.executor import build_executor
from dagster_dvc.tests.support import run


@dg.job
def job() -> None:
    """Nothing."""


def chosen(root: Path, instance: dg.DagsterInstance) -> str:
    """Return the kind of executor that a run of the repository gets."""
    definition = build_executor(root, max_concurrent=2, preload=["dagster"])
    create = definition.executor_creation_fn
    assert create is not None
    context = dg.InitExecutorContext(InMemoryJob(job), definition, {}, instance)
    return type(create(context)).__name__


def test_run_with_work_to_do_has_a_process_per_step(repository: Path, instance: dg.DagsterInstance):
    assert chosen(repository, instance) == "MultiprocessExecutor"


@pytest.mark.parametrize("edited", ["raw.txt", "params.yaml"])
def test_run_without_work_has_one_process_until_something_changes(
    repository: Path, instance: dg.DagsterInstance, edited: str
):
    run(repository, "dvc", "repro", "-q")
    assert chosen(repository, instance) == "InProcessExecutor"
    text = (repository / edited).read_text()
    (repository / edited).write_text(text.replace("1", "7"))
    assert chosen(repository, instance) == "MultiprocessExecutor"
