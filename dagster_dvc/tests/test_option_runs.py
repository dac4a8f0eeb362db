"""What a defs.yaml can say about runs, seen in what runs of a real repository leave."""

import json
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from dagster_dvc.errors import SettingsError
from dagster_dvc.tests.support import component, run, write_pipeline

pytestmark = pytest.mark.whole

STAGES: dict[str, Any] = {
    "prepare": {
        "matrix": {"data": ["a", "b"]},
        "cmd": "mkdir -p d && cp raw.txt d/${item.data}",
        "deps": ["raw.txt"],
        "outs": ["d/${item.data}"],
    },
    "train": {
        "foreach": ["a", "b"],
        "do": {"cmd": "cp d/${item} m-${item}", "deps": ["d/${item}"], "outs": ["m-${item}"]},
    },
    "report": {
        "cmd": "cat m-a m-b > report.txt; cp scores.json metrics.json",
        "deps": ["m-a", "m-b", "scores.json"],
        "outs": ["report.txt"],
        "metrics": [{"metrics.json": {"cache": False}}],
        "meta": {"checks": {"acc": {"min": 0.5, "max": 1},
                            "deep.loss": {"max": 2, "severity": "warn"},
                            "gone": {"min": 0}}},
    },
    "daily": {"cmd": "echo ${run.date} > day.txt", "params": ["run.date"], "outs": ["day.txt"]},
    "after": {"cmd": "cp day.txt after.txt", "deps": ["day.txt"], "outs": ["after.txt"]},
}  # fmt: skip


@pytest.fixture
def project(empty: Path) -> Path:
    (empty / "raw.txt").write_text("1\n")
    (empty / "scores.json").write_text('{"acc": 0.25, "deep": {"loss": 1.5}}')
    (empty / "params.yaml").write_text("run:\n  date: '2026-01-01'  # the day\n")
    write_pipeline(empty, {"stages": STAGES})
    return empty


def materialize(
    root: Path, instance: dg.DagsterInstance, keys: str, day: str | None = None, **attributes: Any
) -> Any:
    """Run assets of the component's definitions, as its executor apart would."""
    found = component(root, **attributes).definitions(root)
    selection = dg.AssetSelection.assets()
    for key in keys.split():
        selection |= dg.AssetSelection.from_string(key)
    jobs = dg.Definitions(jobs=[dg.define_asset_job("job", selection)])
    job = dg.Definitions.merge(found, jobs).resolve_job_def("job")
    return job.execute_in_process(instance=instance, partition_key=day, raise_on_error=False)


def tick(root: Path, instance: dg.DagsterInstance, **attributes: Any) -> list[Any]:
    """Let the sync sensor look; store and return what it reports."""
    found = component(root, **attributes).definitions(root)
    sensor = next(s for s in found.sensors or [] if s.name == "dvc_sync")
    result: Any = sensor(dg.build_sensor_context(instance=instance))  # type: ignore[operator]
    events = list(getattr(result, "asset_events", []))
    for event in events:
        instance.report_runless_asset_event(event)
    return events


def partitions(instance: dg.DagsterInstance, key: str) -> set[str]:
    return instance.get_materialized_partitions(dg.AssetKey(key))


def test_items_are_partitions(project: Path, instance: dg.DagsterInstance):
    options = {"partitions": ["train", "prepare"]}
    assert materialize(project, instance, "prepare train", "a", **options).success
    assert (project / "m-a").read_text() == "1\n"
    assert not (project / "m-b").exists()
    assert partitions(instance, "train") == {"a"}
    run(project, "dvc", "repro", "-q", "train@b")
    tick(project, instance, **options)
    assert partitions(instance, "train") == partitions(instance, "prepare") == {"a", "b"}
    assert tick(project, instance, **options) == []
    assert materialize(project, instance, "report", **options).success
    assert (project / "report.txt").read_text() == "1\n1\n"


def test_days_are_partitions_that_set_their_parameter(project: Path, instance: dg.DagsterInstance):
    options = {"dates": {"param": "run.date", "start": "2026-01-01", "end": "2026-01-05"}}
    for day in ("2026-01-02", "2026-01-03"):
        assert materialize(project, instance, "daily after", day, **options).success
        assert (project / "after.txt").read_text() == f"{day}\n"
    assert "# the day" in (project / "params.yaml").read_text()
    assert materialize(project, instance, "daily after", "2026-01-02", **options).success
    found = instance.get_latest_materialization_event(dg.AssetKey("daily"))
    assert found
    assert found.asset_materialization
    assert (
        found.asset_materialization.metadata["dvc/outcome"].value == "restored from the run cache"
    )
    (project / "params.yaml").write_text("run: {date: '2026-01-04'}\n")
    run(project, "dvc", "repro", "-q", "after")
    tick(project, instance, **options)
    days = {f"2026-01-0{n}" for n in (2, 3, 4)}
    assert partitions(instance, "daily") == partitions(instance, "after") == days
    tick(project, instance, **options)  # by now the day that was read can be pointed to
    assert tick(project, instance, **options) == []


def test_date_that_no_stage_takes_is_refused(project: Path):
    with pytest.raises(SettingsError, match=r"no stage takes the parameter 'run\.day'"):
        component(project, dates={"param": "run.day", "start": "2026-01-01"}).definitions(project)


def test_thresholds_of_metrics_are_checks(project: Path, instance: dg.DagsterInstance):
    result = materialize(project, instance, "*report")
    assert result.success
    found = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert {name: e.passed for name, e in found.items()} == {
        "acc": False, "deep_loss": True, "gone": False,
    }  # fmt: skip
    assert found["acc"].description == "acc is 0.25; at least 0.5 and at most 1 is expected"
    assert found["acc"].severity == dg.AssetCheckSeverity.ERROR
    (project / "scores.json").write_text('{"acc": 0.75, "deep": {"loss": 3}}')
    run(project, "dvc", "repro", "-q", "report")
    reported = [e for e in tick(project, instance) if isinstance(e, dg.AssetCheckEvaluation)]
    assert {e.check_name: e.passed for e in reported} == {
        "acc": True, "deep_loss": False, "gone": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"acc": {"mni": 1}}, "acc: unknown mni"),
        ({"acc": {"min": "high"}}, "acc: min or max has to be a number"),
        ({"acc": {"min": 1, "severity": "bad"}}, "severity 'bad' is neither error nor warn"),
        ({"acc": 0.5}, "acc: '0.5' is no mapping"),
    ],
)
def test_thresholds_that_mean_nothing_are_refused(project: Path, declared: Any, said: str):
    stages = json.loads(json.dumps(STAGES))
    stages["report"]["meta"]["checks"] = declared
    write_pipeline(project, {"stages": stages})
    with pytest.raises(SettingsError, match=r"stage 'report', meta\.checks") as caught:
        component(project).definitions(project)
    assert said in str(caught.value)


def test_blocking_threshold_stops_what_follows(project: Path, instance: dg.DagsterInstance):
    stages = json.loads(json.dumps(STAGES))
    stages["report"]["meta"]["checks"] = {"acc": {"min": 0.5, "blocking": True}}
    stages["last"] = {"cmd": "cp report.txt last", "deps": ["report.txt"], "outs": ["last"]}
    write_pipeline(project, {"stages": stages})
    assert not materialize(project, instance, "*last").success
    assert (project / "report.txt").exists()
    assert not (project / "last").exists()


def test_inputs_are_pulled_and_outputs_pushed(project: Path, instance: dg.DagsterInstance):
    remote = project.parent / "remote"
    run(project, "dvc", "remote", "add", "-d", "-q", "store", str(remote))
    run(project, "dvc", "add", "-q", "raw.txt")
    run(project, "dvc", "push", "-q")
    (project / "raw.txt").unlink()
    shutil.rmtree(project / ".dvc" / "cache")
    assert materialize(project, instance, "prepare/a", pull=True, push=True).success
    assert (project / "d" / "a").read_text() == "1\n"
    shutil.rmtree(project / ".dvc" / "cache")
    (project / "d" / "a").unlink()
    run(project, "dvc", "pull", "-q", "d/a")
    assert (project / "d" / "a").read_text() == "1\n"


def test_exit_codes_that_are_transient_are_named(project: Path, instance: dg.DagsterInstance):
    stage = {"cmd": "test -e tried || { touch tried; exit 9; }; cp raw.txt o", "outs": ["o"]}
    write_pipeline(project, {"stages": {"once": stage}})
    retries = {"times": 1, "delay_s": 0.01}
    result = materialize(project, instance, "once", retries=retries, transient_exits=[9])
    assert result.success
    assert result.retry_attempts_for_node("once") == 1
    (project / "tried").unlink()
    (project / "o").unlink()
    assert not materialize(project, instance, "once", retries=retries).success


@pytest.fixture
def committed(empty: Path) -> Path:
    """A repository with a stage of parameters and metrics, in git, as experiments need it."""
    stage = {"cmd": "echo score: ${lr} > m.yaml", "params": ["lr"], "metrics": [
        {"m.yaml": {"cache": False}}]}  # fmt: skip
    (empty / "params.yaml").write_text("lr: 1\n")
    write_pipeline(empty, {"stages": {"train": stage}})
    run(empty, "dvc", "repro", "-q")
    run(empty, "git", "add", "-A")
    run(empty, "git", "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "a")
    return empty


def test_experiments_are_runs(committed: Path, instance: dg.DagsterInstance):
    found = component(committed).definitions(committed)
    job = found.resolve_job_def("dvc_experiment")
    config = {"set_params": {"lr": 2.5}, "name": "faster", "is_apart": False}
    result = job.execute_in_process(
        {"ops": {"dvc_experiment_run": {"config": config}}}, instance=instance
    )
    made = result.output_for_node("dvc_experiment_run")
    assert made["name"] == "faster"
    assert made["params"]["params.yaml"] == {"lr": 2.5}
    run(committed, "dvc", "exp", "run", "-q", "-n", "elsewhere", "-S", "lr=7")
    sensor: Any = next(s for s in found.sensors or [] if s.name == "dvc_experiments")
    asked = sensor(dg.build_sensor_context(instance=instance))
    shown = {request.tags["dvc/experiment"]: request for request in asked.run_requests}
    assert "elsewhere" in shown
    assert "faster" not in shown  # it was run from here: it is a run already
    result = job.execute_in_process(shown["elsewhere"].run_config, instance=instance)
    output = next(e for e in result.get_step_success_events() for e in result.all_node_events
                  if e.is_successful_output)  # fmt: skip
    assert output.step_output_data.metadata["score"].value == 7
    again = sensor(dg.build_sensor_context(instance=instance, cursor=asked.cursor))
    assert isinstance(again, dg.SkipReason)
    assert yaml.safe_load((committed / "params.yaml").read_text())["lr"] == 7
