"""Steps have processes of their own where there is something to kill or to wait for."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob

from dagster_dvc import executor
from dagster_dvc.tests.support import component, run, write_pipeline


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


def made(job: dg.JobDefinition, instance: dg.DagsterInstance) -> dg.Executor:
    """Return the executor that a run of the job gets."""
    create = executor.dvc_executor.executor_creation_fn
    assert create is not None
    return create(dg.InitExecutorContext(InMemoryJob(job), executor.dvc_executor, {}, instance))


def chosen(job: dg.JobDefinition, instance: dg.DagsterInstance) -> str:
    """Return the kind of executor that a run of the job gets."""
    return type(made(job, instance)).__name__


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


def test_repositories_of_a_code_location_share_an_executor(
    repository: Path, empty: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(executor, "_said", {})
    imported: list[str] = []
    monkeypatch.setattr(executor, "_import", imported.extend)
    other = Path(shutil.copytree(empty, empty.parent / "other"))
    write_pipeline(other, {"stages": {"a": {"cmd": "true"}}})
    both = dg.Definitions.merge(
        component(repository, max_concurrent=3, preload=["json"]).definitions(repository),
        component(other, name="other", key_prefix=["o"], preload=["csv"]).definitions(other),
    )
    assert both.executor is executor.dvc_executor
    found: Any = made(job_of(repository), instance)
    assert found._max_concurrent == 3
    assert ("json" in imported, "csv" in imported) == (True, False)
    assert {"json", "csv"} <= set(executor._how([str(repository), str(other)])[1])


def test_code_location_may_have_an_executor_of_its_own(repository: Path):
    found = component(repository, executor=False).definitions(repository)
    own = dg.Definitions(executor=dg.in_process_executor)
    assert dg.Definitions.merge(found, own).executor is dg.in_process_executor
