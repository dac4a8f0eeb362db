"""A real daemon over a small repository: sensors, automation and freshness, none of them called."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from dagster_dvc.tests.support import RAW, run

pytestmark = pytest.mark.slow

DEFINITIONS = """
from pathlib import Path
import dagster as dg
from dagster_dvc import DvcProjectComponent

attributes = {
    "root": ".", "code": ["code/*"], "automation": "changed", "freshness": {"total": 1 / 60},
}
component = DvcProjectComponent.from_attributes_dict(attributes=attributes)
sensor = dg.AutomationConditionSensorDefinition(
    "by_itself", target=dg.AssetSelection.all(), minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
defs = dg.Definitions.merge(component.definitions(Path(".")), dg.Definitions(sensors=[sensor]))
"""
LONG = 180


@pytest.fixture
def daemon(repository: Path, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A daemon that follows a repository whose stages have run; its instance."""
    run(repository, "git", "add", ".")
    run(repository, "git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    run(repository, "dvc", "repro", "-q")
    (repository / "definitions_of_dvc.py").write_text(DEFINITIONS)
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    program = Path(sys.executable).parent / "dagster-daemon"
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [program, "run", "-f", "definitions_of_dvc.py"], cwd=repository, stdout=log,
            stderr=subprocess.STDOUT, env=os.environ | {"DAGSTER_HOME": str(home)},
        )  # fmt: skip
    try:
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield instance
    finally:
        process.terminate()
        process.wait(60)
        print((home / "log").read_text()[-4000:])  # noqa: T201 - shown if it fails


def comes(what: Callable[[], object]) -> bool:
    """Return whether something becomes true before long."""
    end = time.monotonic() + LONG
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(1)
    return True


def test_daemon_reports_runs_and_warns(repository: Path, daemon: dg.DagsterInstance):
    def versions(key: str) -> set[str]:
        found = daemon.fetch_materializations(dg.AssetKey(key), limit=9).records
        return {
            (record.asset_materialization.tags or {})["dagster/data_version"]
            for record in found
            if record.asset_materialization
        }

    # What ran elsewhere is reported by `dvc_sync`, without a run.
    assert comes(lambda: versions("page"))
    assert daemon.get_runs_count() == 0
    # Other data starts what reads it, one stage after the other.
    (repository / "raw.txt").write_text("7\n8\n")
    assert comes(lambda: len(versions("page")) > 1)
    assert (repository / "site" / "index.html").read_text() == "150\n"
    runs = daemon.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
    assert {key.to_user_string() for r in runs for key in r.asset_selection or ()} >= {"prepare"}
    observed = daemon.fetch_observations(dg.AssetKey([RAW]), limit=9).records
    assert len(observed) > 1
    # An asset that is older than a minute is said to be.
    total = dg.AssetKey("total")
    assert comes(
        lambda: (
            (found := daemon.get_freshness_state_records([total]).get(total))
            and "FAIL" in str(found.freshness_state)
        )
    )
