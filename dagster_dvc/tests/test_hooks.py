"""What a stage found in its own work is on record where no step of a check ran."""

import asyncio
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_dvc.assets import build_assets
from dagster_dvc.hooks import Hooks
from dagster_dvc.manifest import Source, Stage
from dagster_dvc.repository import Repository
from dagster_dvc.resources import DvcResource
from dagster_dvc.sensors import build_sync_sensor
from dagster_dvc.tests.support import RAW, Pipeline, run

pytestmark = pytest.mark.whole

# The stage writes what it found and stops where that is bad, or breaks before it looked.
CHECKED = """
import json, os, sys
value = int(open("numbers.txt").read().split()[0])
if value == 13:
    raise ValueError("broken")
json.dump({"small": value < 10}, open("metrics.json", "w"))
if value >= 10:
    sys.exit(2)
open("total.txt", "w").write(str(value))
"""


def is_small(root: Path, stage: Stage, old: Collection[str]) -> Iterator[dg.AssetCheckResult]:
    file = root / "metrics.json"
    if stage.name == "total" and file.is_file() and file.name not in old:
        passed = json.loads(file.read_text())["small"]
        yield dg.AssetCheckResult(check_name="is_small", passed=passed, description=f"{passed}")


def lines(root: Path, source: Source) -> dict[str, Any]:
    return {"lines": len((root / source.path).read_text().splitlines())}


HOOKS = Hooks(checkers=[is_small], observers=[lines])


@dg.asset_check(asset="total", name="is_small", blocking=True)
def check() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True, description="looked in a step of its own")


@pytest.fixture
def checked(pipeline: Pipeline) -> Pipeline:
    """A pipeline whose second stage checks its own work."""
    (pipeline.root / "code" / "total.py").write_text(CHECKED)
    resources = {"dvc": DvcResource(root=str(pipeline.root))}

    def definitions() -> dg.Definitions:
        assets = build_assets(Repository(pipeline.root), pipeline.translator, hooks=HOOKS)
        return dg.Definitions(assets=assets, asset_checks=[check], resources=resources)

    pipeline.definitions = definitions  # type: ignore[method-assign]
    return pipeline


def shown(pipeline: Pipeline) -> tuple[str, str] | None:
    """Return status and description as the page of the asset shows them; None: not evaluated."""
    from dagster._core.loader import LoadingContextForTest

    key = dg.AssetCheckKey(dg.AssetKey("total"), "is_small")
    storage = pipeline.instance.event_log_storage
    record = storage.get_latest_asset_check_execution_by_key([key]).get(key)
    context = LoadingContextForTest(pipeline.instance)
    if record is None or not asyncio.run(record.targets_latest_materialization(context)):
        return None
    status = asyncio.run(record.resolve_status(context)).value
    return status, str(getattr(record.evaluation, "description", ""))


def tick(pipeline: Pipeline, cursor: str | None = None) -> tuple[list[Any], str | None]:
    """Run the sync sensor and store what it reports; return the evaluations and the cursor."""
    sensor = build_sync_sensor(pipeline.root, pipeline.translator, hooks=HOOKS)
    context = dg.build_sensor_context(instance=pipeline.instance, cursor=cursor)
    data = sensor.evaluate_tick(context)  # as the daemon does, which is stricter than a call
    for event in data.asset_events:
        pipeline.instance.report_runless_asset_event(event)
    found = [event for event in data.asset_events if isinstance(event, dg.AssetCheckEvaluation)]
    return found, data.cursor


def test_checks_of_a_stage_that_stopped_are_red(checked: Pipeline):
    checked.materialize()
    assert shown(checked) == ("SUCCEEDED", "looked in a step of its own")
    (checked.root / "raw.txt").write_text("20\n")
    checked.materialize(is_expected_to_work=False)
    assert shown(checked) == ("FAILED", "False")


def test_checks_of_a_stage_that_broke_before_are_not_taken_from_its_last_run(checked: Pipeline):
    checked.materialize()
    (checked.root / "raw.txt").write_text("13\n")
    checked.materialize(is_expected_to_work=False)
    assert shown(checked) == ("EXECUTION_FAILED", "")


def test_what_ran_or_failed_outside_is_shown(checked: Pipeline):
    run(checked.root, "dvc", "repro", "-q")
    found, cursor = tick(checked)
    assert [one.passed for one in found] == [True]
    assert shown(checked) == ("SUCCEEDED", "True")
    observed = checked.instance.fetch_observations(dg.AssetKey(RAW), limit=1).records[0]
    assert observed.asset_observation.metadata["lines"].value == 2
    assert tick(checked, cursor) == ([], cursor)
    (checked.root / "raw.txt").write_text("20\n")
    with pytest.raises(AssertionError, match="exited with 2"):
        run(checked.root, "dvc", "repro")
    found, cursor = tick(checked, cursor)
    assert [one.passed for one in found] == [False]
    assert shown(checked) == ("FAILED", "False")
    assert tick(checked, cursor)[0] == []
