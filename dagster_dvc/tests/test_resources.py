"""Running a stage: what comes back, what a failure says, and that nothing outlives a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest

from dagster_dvc.repository import load_manifest
from dagster_dvc.tests.support import Pipeline, run, write_pipeline

pytestmark = pytest.mark.whole

# Two stages that only meet in time: each waits for a sign of the other.
MEET = """
import pathlib, sys, time
me, other = sys.argv[1:]
pathlib.Path(f"{me}.sign").touch()
end = time.time() + 60
while not pathlib.Path(f"{other}.sign").exists():
    assert time.time() < end, "nobody came"
    time.sleep(0.05)
pathlib.Path(f"{me}.txt").write_text("met")
"""
# A script that runs a job of the repository as Dagster's own command line would.
RUN = """
from pathlib import Path
import dagster as dg
from dagster_dvc.assets import build_assets
from dagster_dvc.repository import Repository, load_manifest
from dagster_dvc.resources import DvcResource
from dagster_dvc.translator import DvcTranslator

ROOT = Path.cwd()
# Tried again, a killed step would start anew what must be seen to be gone.
ONCE = dg.RetryPolicy(max_retries=0)

@dg.definitions
def defs():
    return dg.Definitions(
        assets=build_assets(Repository(ROOT), DvcTranslator(), retries=ONCE),
        resources={"dvc": DvcResource(root=str(ROOT), grace_s=2)},
        jobs=[dg.define_asset_job("all", dg.AssetSelection.all())],
    )
"""


def tree(process: subprocess.Popen[Any]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def wait_for(what: Any, seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def last(pipeline: Pipeline, name: str) -> Any:
    event = pipeline.instance.get_latest_materialization_event(dg.AssetKey(name))
    assert event
    assert event.asset_materialization
    return event.asset_materialization


def test_metadata_is_the_same_whether_it_ran_or_came_from_the_cache(pipeline: Pipeline):
    pipeline.materialize()
    first = last(pipeline, "total").metadata
    assert first["dvc/outcome"].value == "ran"
    assert first["total"].value == 30
    assert first["size"].value == len("30\n") + len('{"total": 30}')
    pipeline.materialize()
    assert last(pipeline, "total").metadata["dvc/outcome"].value == "unchanged"
    (pipeline.root / "params.yaml").write_text("scale: 1\nother: 1\n")
    pipeline.materialize()
    (pipeline.root / "params.yaml").write_text("scale: 10\nother: 1\n")
    (pipeline.root / "metrics.json").write_text('{"total": 30}')
    pipeline.materialize()
    again = last(pipeline, "total").metadata
    assert again["total"].value == 30


def test_stage_that_reports_through_pipes_adds_its_metadata(pipeline: Pipeline):
    file = pipeline.root / "code" / "total.py"
    file.write_text(
        file.read_text() + "from dagster_pipes import open_dagster_pipes\n"
        "with open_dagster_pipes() as pipes:\n"
        "    pipes.log.info('from within')\n"
        "    pipes.report_asset_materialization(metadata={'rounds': 7})\n"
    )
    result = pipeline.materialize()
    assert last(pipeline, "total").metadata["rounds"].value == 7
    logs = [entry.message for entry in pipeline.instance.all_logs(result.run_id)]
    assert any("the total is 30" in (message or "") for message in logs)
    assert any("from within" in (message or "") for message in logs)


def test_failure_shows_the_output_and_is_not_retried(pipeline: Pipeline):
    pipeline.materialize()
    (pipeline.root / "code" / "scale.py").write_text("def scaled(value, scale):\n    1 / 0\n")
    result = pipeline.materialize("total", "page", is_expected_to_work=False)
    failure = result.failure_data_for_node("total")
    assert "ZeroDivisionError" in failure.user_failure_data.description
    assert "dvc repro --single-item total" in failure.user_failure_data.description
    assert not result.retry_attempts_for_node("total")
    assert "page" not in {e.node_name for e in result.get_step_success_events()}
    # DVC deleted it before the stage ran; the last good one is back.
    assert (pipeline.root / "total.txt").read_text() == "30\n"
    assert (pipeline.root / "site" / "index.html").read_text() == "30\n"


def test_transient_failure_is_tried_again(pipeline: Pipeline):
    pipeline.retries = dg.RetryPolicy(max_retries=2, delay=0.01)
    file = pipeline.root / "code" / "prepare.py"
    file.write_text(
        "import os, sys\n"
        "if not os.path.exists('tried'):\n"
        "    open('tried', 'w').close(); sys.exit(75)\n" + file.read_text()
    )
    result = pipeline.materialize()
    assert result.retry_attempts_for_node("prepare") == 1


def start(root: Path, tmp_path: Path, *arguments: str) -> subprocess.Popen[Any]:
    script = tmp_path / "defs.py"
    script.write_text(RUN)
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    environment = os.environ | {"DAGSTER_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "dagster", "job", "execute", "-f", str(script), "-j", "all"]
    return subprocess.Popen(
        [*command, *arguments], cwd=root, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture
def sleeper(empty: Path) -> Path:
    """A stage that has run once, and now takes an hour, deaf to polite requests.

    By then it has written half of its log, and DVC has deleted its metric, which has no cache.
    """
    code = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    (empty / "work.sh").write_text("echo good | tee out.txt log.txt\necho 1 > metric.yaml\n")
    (empty / "sleep.py").write_text(code + "open('started', 'w').close()\ntime.sleep(3600)\n")
    stage = {"cmd": "sh work.sh", "deps": ["work.sh"], "outs": ["out.txt", "log.txt"]}
    stage["metrics"] = [{"metric.yaml": {"cache": False}}]
    write_pipeline(empty, {"stages": {"work": stage}})
    run(empty, "dvc", "repro")
    (empty / "work.sh").write_text(
        f"echo half > log.txt\n(setsid {sys.executable} sleep.py &)\n{sys.executable} sleep.py\n"
    )
    return empty


def is_running(marker: str, root: Path) -> bool:
    for process in psutil.process_iter(["cmdline", "cwd", "name", "status"]):
        facts = process.info
        if (
            facts["cwd"] == str(root)
            and marker in " ".join([facts["name"], *(facts["cmdline"] or [])])
            and facts["status"] != psutil.STATUS_ZOMBIE
        ):
            return True
    return False


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["cancelled", "kill -9"])
def test_nothing_outlives_the_step(sleeper: Path, tmp_path: Path, how: signal.Signals):
    process = start(sleeper, tmp_path)
    try:
        wait_for((sleeper / "started").exists)
        assert is_running("sleep.py", sleeper)
        step = next(c.parent() for c in tree(process) if c.name() == "dvc-runner")
        begin = time.monotonic()
        (process if how == signal.SIGINT else step).send_signal(how)
        wait_for(lambda: not is_running("sleep.py", sleeper) and not is_running("dvc", sleeper), 30)
        wait_for(lambda: not is_running("dvc-runner", sleeper), 30)
        if psutil.cpu_percent(0.2) < 90:  # a starved machine says nothing about seconds
            assert time.monotonic() - begin < 10
    finally:
        process.kill()
        process.wait()
    assert (sleeper / "out.txt").read_text() == (sleeper / "log.txt").read_text() == "good\n"
    assert (sleeper / "metric.yaml").read_text() == "1\n"
    (sleeper / "work.sh").write_text("echo better | tee out.txt log.txt\necho 2 > metric.yaml\n")
    run(sleeper, "dvc", "repro")  # no lock is left
    assert (sleeper / "out.txt").read_text() == "better\n"


def test_independent_stages_run_side_by_side(empty: Path, tmp_path: Path):
    stages = {
        me: {"cmd": f"python meet.py {me} {other}", "outs": [f"{me}.txt"]}
        for me, other in (("left", "right"), ("right", "left"))
    }
    (empty / "meet.py").write_text(MEET)
    write_pipeline(empty, {"stages": stages})
    assert start(empty, tmp_path).wait(120) == 0
    lock = load_manifest(empty).stages
    assert lock["left"].lock
    assert lock["right"].lock
    assert "up to date" in run(empty, "dvc", "status")


def test_failing_blocking_check_skips_what_follows(pipeline: Pipeline):
    passes = json.loads("false")

    @dg.asset_check(asset="prepare", blocking=True)
    def numbers_are_small() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=passes)

    definitions = pipeline.definitions
    pipeline.definitions = lambda: dg.Definitions.merge(  # type: ignore[method-assign]
        definitions(), dg.Definitions(asset_checks=[numbers_are_small])
    )
    result = pipeline.materialize(is_expected_to_work=False)
    assert {e.node_name for e in result.get_asset_materialization_events()} == {"prepare"}
    assert pipeline.unsynced() == {"total", "page"}
    assert not (pipeline.root / "total.txt").exists()
    passes = True
    pipeline.materialize()
    assert pipeline.unsynced() == set()
