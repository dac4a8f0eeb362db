"""What a scheduled run recorded is committed, pushed and tagged, with real repositories."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from orchestration.publish import build_publish_job, build_publish_sensor, publish
from tests.test_repro import run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project after a run that released v1, with remotes for git and DVC."""
    root = tmp_path / "project"
    root.mkdir()
    run(root, "git", "init", "-q", "-b", "main")
    run(root, "git", "config", "user.name", "Test")
    run(root, "git", "config", "user.email", "test@example.org")
    run(root, "dvc", "init", "-q")
    run(root, "dvc", "remote", "add", "-q", "--default", "store", str(tmp_path / "store"))
    (root / ".gitignore").write_text("/releases/\n")
    stage: dict[str, Any] = {
        "cmd": "mkdir -p metrics && echo 1 | tee out.txt metrics/a.json",
        "outs": ["out.txt"],
    }
    stage["metrics"] = [{"metrics/a.json": {"cache": False}}]
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"a": stage}}))
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-qm", "Project")
    run(tmp_path, "git", "clone", "-q", "--bare", str(root), str(tmp_path / "origin.git"))
    run(root, "git", "remote", "add", "origin", str(tmp_path / "origin.git"))
    run(root, "dvc", "repro", "-q")
    (root / "releases" / "v1").mkdir(parents=True)
    (root / "releases" / "current").symlink_to("v1")
    return root


def test_run_is_committed_pushed_and_tagged(project: Path, tmp_path: Path):
    (project / "dvc.yaml").write_text((project / "dvc.yaml").read_text() + "# half done\n")
    job = build_publish_job(project, {})
    assert job.execute_in_process().success
    # Somebody's half-done work is not part of it.
    assert run(project, "git", "status", "--porcelain", "--", "dvc.yaml").strip() == "M dvc.yaml"
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(tmp_path / "origin.git"), str(clone))
    assert run(clone, "git", "tag").split() == ["smar@v1", "smar@v1.0.0"]
    assert run(clone, "git", "log", "-1", "--format=%s").strip() == "Pipeline run, release v1"
    run(clone, "dvc", "pull")
    assert (clone / "out.txt").read_text() == "1\n"
    again = publish(project)
    assert again[0].startswith("nothing to commit")
    assert not any("tagged" in line for line in again)


def test_refusal_is_told_in_its_own_words(project: Path, tmp_path: Path):
    run(tmp_path, "git", "clone", "-q", str(tmp_path / "origin.git"), str(tmp_path / "other"))
    who = ("-c", "user.name=O", "-c", "user.email=o@example.org")
    run(tmp_path / "other", "git", *who, "commit", "-q", "--allow-empty", "-m", "Theirs")
    run(tmp_path / "other", "git", "push", "-q")
    with pytest.raises(dg.Failure, match=r"git push[^$]*rejected"):
        publish(project)
    assert run(tmp_path / "origin.git", "git", "tag") == ""


def test_without_remotes_everything_stays_here(project: Path):
    run(project, "git", "remote", "remove", "origin")
    run(project, "dvc", "remote", "remove", "store")
    done = publish(project)
    assert done[0].endswith("Pipeline run, release v1")
    assert done[1].startswith("no DVC remote")
    assert done[-1].startswith("no git remote")


def test_only_runs_that_nobody_started_are_followed(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
):
    @dg.job
    def retrain() -> None:
        pass

    def told(tags: dict[str, str]) -> object:
        result = retrain.execute_in_process(instance=instance, tags=tags)
        context = dg.build_run_status_sensor_context(
            sensor_name="publish_after_run",
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=next(
                event for event in result.all_events if event.event_type_value == "PIPELINE_SUCCESS"
            ),
        )
        return build_publish_sensor(retrain, [retrain])(context)

    assert isinstance(told({}), dg.SkipReason)
    assert isinstance(told({"dagster/schedule_name": "retrain_weekly"}), dg.RunRequest)
    made = build_publish_sensor(retrain, [retrain])
    assert made.default_status == dg.DefaultSensorStatus.STOPPED
    monkeypatch.setenv("SMAR_PUBLISH", "on")
    made = build_publish_sensor(retrain, [retrain])
    assert made.default_status == dg.DefaultSensorStatus.RUNNING
