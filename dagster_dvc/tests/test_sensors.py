"""Sensors and schedules: what starts a run, what does not, and what they say about it."""

import json
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_dvc import sensors
from dagster_dvc.sensors import (
    build_schedule,
    build_source_sensor,
    build_verdict_sensor,
)
from dagster_dvc.tests.support import RAW, Pipeline, run

pytestmark = pytest.mark.whole

JOB = dg.define_asset_job("everything", dg.AssetSelection.all())
OTHER = dg.define_asset_job("other", dg.AssetSelection.all())


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(sensors.time, "time", made.time)
    return made


class Ticker:
    """A sensor that keeps its cursor from tick to tick, as the daemon does."""

    def __init__(self, sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> None:
        self.sensor, self.instance, self.cursor = sensor, instance, None

    def tick(self) -> Any:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = self.sensor(context)
        self.cursor = getattr(result, "cursor", None) or context.cursor
        return result


def why(result: Any) -> str:
    assert isinstance(result, dg.SkipReason), result
    return result.skip_message or ""


def test_changed_raw_data_starts_one_run_when_it_has_settled(pipeline: Pipeline, clock: Clock):
    run(pipeline.root, "dvc", "repro")
    sensor = build_source_sensor(pipeline.root, pipeline.translator, JOB, settle_s=20)
    ticker = Ticker(sensor, pipeline.instance)
    assert why(ticker.tick()) == "the raw inputs are as the last run read them"
    (pipeline.root / "raw.txt").write_text("1\n2\n3\n")
    assert "raw.txt changed; waiting 20 s" in why(ticker.tick())
    clock.now += 15
    (pipeline.root / "raw.txt").write_text("1\n2\n3\n4\n")  # still being written
    assert "waiting" in why(ticker.tick())
    clock.now += 15
    assert "waiting" in why(ticker.tick())
    clock.now += 10
    result = ticker.tick()
    assert [event.asset_key.to_user_string() for event in result.asset_events] == [RAW]
    key = result.run_requests[0].run_key
    assert "already requested" in why(ticker.tick())
    # The same content again, with no memory of it: the key is equal, so Dagster starts nothing.
    fresh = Ticker(sensor, pipeline.instance)
    fresh.tick()
    clock.now += 30
    assert fresh.tick().run_requests[0].run_key == key
    run(pipeline.root, "dvc", "repro")
    assert "as the last run read them" in why(ticker.tick())


def verdict_ticker(root: Path, instance: dg.DagsterInstance) -> Ticker:
    jobs = {"refresh": OTHER, "retrain": JOB}
    sensor = build_verdict_sensor(
        root, "metrics/drift.json", "verdict", jobs, name="drift", cooldown_s=3600
    )
    return Ticker(sensor, instance)


def test_report_starts_what_it_asks_for_and_then_cools_down(
    tmp_path: Path, instance: dg.DagsterInstance, clock: Clock
):
    ticker = verdict_ticker(tmp_path, instance)
    assert "not there yet" in why(ticker.tick())
    report = tmp_path / "metrics" / "drift.json"
    report.parent.mkdir()
    report.write_text(json.dumps({"verdict": "keep"}))
    assert "says 'keep'" in why(ticker.tick())
    report.write_text(json.dumps({"verdict": "retrain", "share": 0.4}))
    request = ticker.tick().run_requests[0]
    assert (request.job_name, request.tags) == ("everything", {"dvc/verdict": "retrain"})
    assert "already acted on" in why(ticker.tick())
    report.write_text(json.dumps({"verdict": "refresh", "share": 0.5}))
    assert "cooling down for 1.0 h" in why(ticker.tick())
    clock.now += 3601
    assert ticker.tick().run_requests[0].job_name == "other"


def test_schedule_over_an_unchanged_repository_says_so(pipeline: Pipeline):
    stages = ["prepare", "total", "page"]
    schedule = build_schedule(
        pipeline.root, JOB, stages, name="nightly", cron="0 2 * * *",
        timezone="Europe/Berlin", description="",
    )  # fmt: skip
    assert schedule.execution_timezone == "Europe/Berlin"
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED

    def tick() -> Any:
        return schedule(dg.build_schedule_context(instance=pipeline.instance))

    assert tick().tags["dvc/changed"].startswith("prepare: it has never run")
    run(pipeline.root, "dvc", "repro")
    assert why(tick()) == "nothing to do: none of prepare, total, page changed"
    (pipeline.root / "params.yaml").write_text("scale: 2\nother: 1\n")
    assert tick().tags["dvc/changed"] == "total: params.yaml: scale (modified)"
    (pipeline.root / "total.txt").unlink()
    assert "total.txt" in tick().tags["dvc/changed"]
