"""Where the package does not run it says so, and why, before anything else is imported."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dagster_dvc.errors import DvcBridgeError, refuse_windows
from dagster_dvc.running import job, launch
from dagster_dvc.tests.support import Pipeline

PARENT = str(Path(__file__).resolve().parents[2])


def test_windows_is_refused_with_the_reason():
    with pytest.raises(DvcBridgeError, match="process groups and signals, which Windows lacks"):
        refuse_windows("win32")


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_others_are_not(platform: str):
    refuse_windows(platform)


def test_importing_the_package_on_windows_ends_with_the_reason():
    """In a process that takes itself for one on Windows: no other import may fail before."""
    code = f"import sys; sys.path.insert(0, {PARENT!r}); sys.platform = 'win32'; import dagster_dvc"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("dagster_dvc.errors.PlatformError: dagster-dvc does not run on Windows")
    assert "Run Dagster in WSL" in last


@pytest.mark.parametrize(
    ("dvc", "options"),
    [
        ("3.50.0", []),
        ("3.60.1", []),
        ("3.61.0", ["--wait-for-lock"]),
        ("3.67.1", ["--wait-for-lock"]),
    ],
)
def test_dvc_is_told_to_wait_where_it_can(
    monkeypatch: pytest.MonkeyPatch, dvc: str, options: list[str]
):
    monkeypatch.setattr(job, "version", {"dvc": dvc}.__getitem__)
    assert job.Job(stage="train").commands() == [[*options, "repro", "--single-item", "train"]]


def test_runner_that_is_started_anew_imports_no_dagster():
    """Where a step cannot be copied a stage waits for what its runner imports."""
    start, _, _ = launch._START.partition("sys.exit")
    code = f"{start}print(*sys.modules, sep='\\n')"
    package = str(Path(launch.__file__).parents[1])
    command = [sys.executable, "-c", code, package]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert "dagster_dvc.running.runner" in loaded
    assert not loaded & {"dagster", "dvc", "dagster_dvc.private"}


@pytest.mark.whole
def test_stage_runs_where_a_step_cannot_be_copied(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
):
    elsewhere = SimpleNamespace(platform="darwin", executable=sys.executable)
    monkeypatch.setattr(launch, "sys", elsewhere)
    result = pipeline.materialize()
    assert result.success
    assert pipeline.changed_in_dvc() == set()
