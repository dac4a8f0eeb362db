"""The project's own definitions: derived from dvc.yaml, complete, quick to load."""

import dagster as dg
import pytest
import yaml

from orchestration.definitions import defs
from orchestration.project import ROOT

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return defs()


def test_assets_are_the_stages_and_the_raw_data(definitions: dg.Definitions):
    graph = definitions.resolve_asset_graph()
    stages = {key.to_user_string() for key in graph.materializable_asset_keys}
    assert stages == set(PIPELINE)
    assert {key.to_user_string() for key in graph.external_asset_keys} == {
        "data/raw",
        "backbones/.model",
    }
    for name, stage in PIPELINE.items():
        spec = graph.get(dg.AssetKey(name))
        assert spec.description.startswith(stage["desc"])
        assert spec.group_name != "default", f"{name}: name its group in defs/pipeline/defs.yaml"


def test_jobs_select_what_they_say(definitions: dg.Definitions):
    def stages_of(job: str) -> set[str]:
        layer = definitions.resolve_job_def(job).asset_layer
        return {key.to_user_string() for key in layer.executable_asset_keys}

    assert stages_of("retrain") == set(PIPELINE)
    present = set(PIPELINE)
    assert stages_of("refresh") == {"ingest", "validate", "embed", "index", "promote"} & present
    if "drift" in present:
        assert stages_of("monitor") == {"drift"}


def test_what_runs_by_itself_is_off_until_switched_on(definitions: dg.Definitions):
    schedules = {schedule.name: schedule for schedule in definitions.schedules or []}
    assert set(schedules) == {"refresh_nightly", "retrain_weekly"}
    assert all(s.default_status == dg.DefaultScheduleStatus.STOPPED for s in schedules.values())
    running = {
        sensor.name
        for sensor in definitions.sensors or []
        if sensor.default_status == dg.DefaultSensorStatus.RUNNING
    }
    assert running == {"dvc_sync", "failure_notice", "news"}  # these start no run


def test_time_zone_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SMAR_TIMEZONE", "Asia/Tokyo")
    zones = {schedule.execution_timezone for schedule in defs().schedules or []}
    assert zones == {"Asia/Tokyo"}


def test_checks_that_follow_must_wait_for_are_blocking(definitions: dg.Definitions):
    graph = definitions.resolve_asset_graph()
    blocking = {k.name for k in graph.asset_check_keys if graph.get(k).blocking}
    assert blocking >= {
        "items_contract",
        "splits_do_not_leak",
        "weights_are_finite",
        "rows_have_unit_norm",
        "every_item_is_embedded",
        "index_finds_what_exact_search_finds",
    }


def test_library_is_named_in_one_direction_only():
    for file in (ROOT / "smar").rglob("*.py"):
        text = file.read_text()
        assert "orchestration" not in text, file
        assert "dagster_dvc" not in text, file
