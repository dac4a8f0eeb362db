"""The daemon for real: a new day of search log arrives, and its release answers a query."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from orchestration.project import ROOT
from smar.cli import main
from smar.service.retriever import Retriever
from tests.test_pipeline import make_project, set_params

pytestmark = pytest.mark.daemon
START_S = 60
RUN_S = 1200


def run(root: Path, *command: str, timeout: float = 120) -> str:
    """Return what a command prints; it has to succeed."""
    result = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False, timeout=timeout
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project over the files of a small demo shop; everything has run once."""
    root = tmp_path / "project"
    ignored = shutil.ignore_patterns("__pycache__", "cache", "tmp")
    for name in ("smar", "orchestration", "dagster_dvc", "backbones", ".dvc"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("dvc.yaml", ".dvcignore", ".gitignore", "params.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    make_project(root)
    set_params(root, {"ingest.demo": {"num_items": 150, "num_searches": 400}})
    set_params(root, {"pretrain.steps": 10, "finetune.steps": 10})
    assert main(["demo", str(root / "data/raw/shop"), "--root", str(root)]) == 0
    set_params(root, {"ingest.source": "feed", "ingest.folder": "data/raw/shop"})
    (root / "data/raw/.gitignore").write_text("*\n")
    run(root, "git", "init", "-q")
    run(root, "dvc", "repro", timeout=RUN_S)
    return root


@pytest.fixture
def daemon(project: Path, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A running daemon with the raw data sensor switched on; yields its instance."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(ROOT / "orchestration" / "dagster.yaml", home)
    environment = os.environ | {
        "DAGSTER_HOME": str(home),
        "PYTHONPATH": str(project),
        "SMAR_SETTLE_S": "5",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "dagster"]
    subprocess.run(
        [*command, "sensor", "start", "raw_data"], cwd=project, env=environment, check=True
    )
    log = (tmp_path / "daemon.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster._daemon", "run"],
        cwd=project, env=environment, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        with dg.DagsterInstance.from_config(str(home)) as instance:
            wait_for(lambda: ticks(instance), 300, "the daemon does not look at its sensors")
            yield instance
    finally:
        process.terminate()
        process.wait(60)
        log.close()


def ticks(instance: dg.DagsterInstance) -> list[Any]:
    """Return the looks of the raw data sensor."""
    found = [s for s in instance.all_instigator_state() if s.instigator_name == "raw_data"]
    return [
        tick for s in found for tick in instance.get_ticks(s.instigator_origin_id, s.selector_id)
    ]


def wait_for(what: Callable[[], Any], seconds: float, otherwise: str) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(1)
    raise AssertionError(otherwise)


def add_a_day(folder: Path) -> int:
    """Append a day to the log: the last day's searches and clicks again, a day later.

    Returns:
        How many searches were added.
    """
    files = {name: folder / f"ubi_{name}.ndjson.gz" for name in ("queries", "events")}
    lines = {
        k: gzip.decompress(file.read_bytes()).decode().splitlines() for k, file in files.items()
    }
    searches = [json.loads(line) for line in lines["queries"]]
    last = max(search["timestamp"][:10] for search in searches)
    of_the_day = {s["query_id"] for s in searches if s["timestamp"].startswith(last)}
    for name, file in files.items():
        records = [r for r in map(json.loads, lines[name]) if r["query_id"] in of_the_day]
        for record in records:
            record["query_id"] = f"new-{record['query_id']}"
            later = datetime.fromisoformat(record["timestamp"]) + timedelta(days=1)
            record["timestamp"] = later.isoformat()
        text = "\n".join([*lines[name], *map(json.dumps, records)]) + "\n"
        file.write_bytes(gzip.compress(text.encode()))
    return len(of_the_day)


def test_new_day_of_search_log_becomes_a_release(project: Path, daemon: dg.DagsterInstance):
    before = json.loads((project / "metrics" / "ingest.json").read_text())
    model = (project / "models/retriever/manifest.json").read_bytes()
    assert daemon.get_runs() == []
    added = add_a_day(project / "data/raw/shop")
    wait_for(daemon.get_runs, START_S, "no run started within a minute")
    finished = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
    wait_for(lambda: daemon.get_runs()[0].status in finished, RUN_S, "the run did not end")
    (record,) = daemon.get_runs()
    assert (record.job_name, record.status) == ("retrain", dg.DagsterRunStatus.SUCCESS)
    stages = list(yaml.safe_load((project / "dvc.yaml").read_text())["stages"])
    events = daemon.get_latest_materialization_events([dg.AssetKey(name) for name in stages])
    assert {event.run_id for event in events.values() if event} == {record.run_id}
    evaluated = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    evaluations = [
        entry.dagster_event.asset_check_evaluation_data
        for entry in daemon.all_logs(record.run_id)
        if entry.dagster_event and entry.dagster_event.event_type == evaluated
    ]
    assert len(evaluations) >= 10
    assert [e.check_name for e in evaluations if not e.passed and e.blocking] == []
    after = json.loads((project / "metrics" / "ingest.json").read_text())
    assert after["searches"] == before["searches"] + added
    assert (project / "models/retriever/manifest.json").read_bytes() != model
    assert "up to date" in run(project, "dvc", "status")
    assert len(Retriever.load(project).search("red dress", 5)) == 5
    if "promote" in stages:
        assert (project / "releases" / "current").exists()
