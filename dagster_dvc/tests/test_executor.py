"""Steps have processes of their own where there is something to kill or to wait for."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob

from dagster_dvc.executor import build_executor
from dagster_dvc.tests.support import run


@dg.job
def foreign() -> None:
    """A job of the code location that runs no stage."""


def job_of(root: Path) -> dg.JobDefinition:
    """Return a job with an op that stands for the three stages of a repository."""

    @dg.op(tags={"dvc/stage": "prepare\ntotal\npage", "dvc/root": str(root)})
    def stages() -> None:
        pass

    @dg.job
    def job() -> None:
        stages()

    return job


def chosen(job: dg.JobDefinition, instance: dg.DagsterInstance) -> str:
    """Return the kind of executor that a run of the job gets."""
    definition = build_executor(max_concurrent=2, preload=["dagster"])
    create = definition.executor_creation_fn
    assert create is not None
    context = dg.InitExecutorContext(InMemoryJob(job), definition, {}, instance)
    return type(create(context)).__name__


def test_run_with_work_to_do_has_a_process_per_step(repository: Path, instance: dg.DagsterInstance):
    assert chosen(job_of(repository), instance) == "MultiprocessExecutor"


@pytest.mark.parametrize("edited", ["raw.txt", "params.yaml"])
def test_run_without_work_has_one_process_until_something_changes(
    repository: Path, instance: dg.DagsterInstance, edited: str
):
    run(repository, "dvc", "repro", "-q")
    assert chosen(job_of(repository), instance) == "InProcessExecutor"
    text = (repository / edited).read_text()
    (repository / edited).write_text(text.replace("1", "7"))
    assert chosen(job_of(repository), instance) == "MultiprocessExecutor"


def test_job_without_stages_keeps_its_processes(repository: Path, instance: dg.DagsterInstance):
    run(repository, "dvc", "repro", "-q")
    assert chosen(foreign, instance) == "MultiprocessExecutor"


def test_repositories_of_a_code_location_share_an_executor():
    one, other = (build_executor(max_concurrent=0, preload=[]) for _ in range(2))
    assert one is other  # else Dagster refuses to merge their definitions
