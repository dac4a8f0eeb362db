"""Unsynced in Dagster is changed in DVC, and a run of one leaves nothing to do for the other."""

from pathlib import Path

import dagster as dg
import pytest

from dagster_dvc.repository import Repository
from dagster_dvc.sensors import build_sync_sensor
from dagster_dvc.tests.support import RAW, Pipeline, run

pytestmark = pytest.mark.whole


def sync(pipeline: Pipeline) -> set[str]:
    """Run the sync sensor and store what it reports; return the keys."""
    sensor = build_sync_sensor(pipeline.root, pipeline.translator)
    context = dg.build_sensor_context(instance=pipeline.instance)
    result = sensor(context)
    if isinstance(result, dg.SkipReason):
        return set()
    for event in result.asset_events:
        pipeline.instance.report_runless_asset_event(event)
    return {event.asset_key.to_user_string() for event in result.asset_events}


def test_run_in_dagster_leaves_nothing_to_do_for_dvc(pipeline: Pipeline):
    pipeline.materialize()
    assert (pipeline.root / "site" / "index.html").read_text() == "30\n"
    assert pipeline.changed_in_dvc() == set()
    assert "up to date" in run(pipeline.root, "dvc", "repro")
    assert pipeline.unsynced() == set()
    assert sync(pipeline) == set()


def test_run_outside_is_reported_and_staleness_is_right(pipeline: Pipeline):
    run(pipeline.root, "dvc", "repro")
    assert pipeline.unsynced() == {"prepare", "total", "page"}
    assert sync(pipeline) == {RAW, "prepare", "total", "page"}
    assert pipeline.unsynced() == set()
    (pipeline.root / "raw.txt").write_text("5\n")
    run(pipeline.root, "dvc", "repro", "--single-item", "prepare")
    assert sync(pipeline) == {RAW, "prepare"}
    assert pipeline.unsynced() == pipeline.changed_in_dvc() == {"total"}


def test_checkout_of_an_older_state_is_reported(pipeline: Pipeline):
    pipeline.materialize()
    in_git = ("dvc.lock", "params.yaml", "metrics.json")  # what `git checkout` brings back
    old = {name: (pipeline.root / name).read_text() for name in in_git}
    before = pipeline.instance.get_latest_data_version_record(dg.AssetKey("total"))
    (pipeline.root / "params.yaml").write_text("scale: 11\nother: 1\n")
    pipeline.materialize()
    for name, text in old.items():
        (pipeline.root / name).write_text(text)
    run(pipeline.root, "dvc", "checkout")
    assert pipeline.unsynced() >= {"total"}
    assert "total" in sync(pipeline)
    assert pipeline.unsynced() == pipeline.changed_in_dvc() == set()
    after = pipeline.instance.get_latest_data_version_record(dg.AssetKey("total"))
    assert before
    assert after
    tag = "dagster/data_version"
    assert before.event_log_entry.tags[tag] == after.event_log_entry.tags[tag]


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("params.yaml", "scale: 3\nother: 1\n", {"total"}),
        ("code/scale.py", "def scaled(value, scale):\n    return -value\n", {"total"}),
        ("raw.txt", "7\n", {"prepare"}),
        ("params.yaml", "scale: 10\nother: 2\n", set()),
    ],
    ids=["parameter", "imported module", "raw file", "nothing that counts"],
)
def test_unsynced_is_changed(pipeline: Pipeline, file: str, text: str, expected: set[str]):
    pipeline.materialize()
    (pipeline.root / file).write_text(text)
    sync(pipeline)  # looks at the raw inputs
    assert pipeline.unsynced() == expected
    assert pipeline.changed_in_dvc() == expected
    found = Repository(pipeline.root).changes()
    assert {change.stage for change in found} == expected


def test_output_that_nobody_reads_leaves_readers_synced(empty: Path, pipeline: Pipeline):
    pipeline.materialize()
    file = pipeline.root / "code" / "total.py"
    file.write_text(file.read_text() + "json.dump({'total': 0}, open('metrics.json', 'w'))\n")
    pipeline.materialize("total")
    assert pipeline.unsynced() == pipeline.changed_in_dvc() == set()


def test_reasons_name_files_from_the_root_wherever_the_process_stands(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
):
    run(pipeline.root, "dvc", "repro", "-q")
    (pipeline.root / "params.yaml").write_text("scale: 3\nother: 1\n")
    (pipeline.root / "raw.txt").write_text("9\n")
    monkeypatch.chdir(pipeline.root / "code")
    said = [why for change in Repository(pipeline.root).changes() for why in change.reasons]
    assert said == ["raw.txt (modified)", "params.yaml: scale (modified)"]
