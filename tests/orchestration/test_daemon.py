"""The daemon for real: a new day of log, or an hour of shoppers, becomes a release that answers."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import yaml

from orchestration.project import ROOT
from smar.cli import main
from smar.paths import Paths
from smar.service.retriever import Retriever
from tests.service.http.shoppers import LENIENT, bring_feed_and_log, served, shop_for_an_hour
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


def copy_of_the_code(root: Path) -> Path:
    """Return a copy of the project with small parameters, and nothing that was made."""
    ignored = shutil.ignore_patterns("__pycache__", "cache", "tmp")
    for name in ("smar", "orchestration", "dagster_dvc", "backbones", ".dvc"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("dvc.yaml", ".dvcignore", ".gitignore", "params.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    make_project(root)
    set_params(root, {"ingest.demo": {"num_items": 150, "num_searches": 400}})
    set_params(root, {"pretrain.steps": 10, "finetune.steps": 10})
    return root


def run_once(root: Path) -> Path:
    """Run every stage of a project, as its people do."""
    (root / "data/raw/.gitignore").write_text("*\n")
    run(root, "git", "init", "-q")
    run(root, "dvc", "repro", timeout=RUN_S)
    return root


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project over the files of a small demo shop; everything has run once."""
    root = copy_of_the_code(tmp_path / "project")
    assert main(["demo", str(root / "data/raw/shop"), "--root", str(root)]) == 0
    set_params(root, {"ingest.source": "feed", "ingest.folder": "data/raw/shop"})
    return run_once(root)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The same over a folder of days of a search log, which a service writes to."""
    root = copy_of_the_code(tmp_path / "shop")
    bring_feed_and_log(root, set_params)
    set_params(root, LENIENT)
    (root / "serve.yaml").write_text("per_client_s: 0\nlog_free_mb: 0\nencoder: torch\n")
    return run_once(root)


@contextmanager
def daemon_of(project: Path, folder: Path) -> Iterator[dg.DagsterInstance]:
    """Run a daemon with the raw data sensor switched on; yields its instance."""
    home = folder / "home"
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
    log = (folder / "daemon.log").open("w")
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


@pytest.fixture
def daemon(project: Path, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with daemon_of(project, tmp_path) as instance:
        yield instance


def finished_run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    """Return the one run that the sensor starts, once it has ended well."""
    wait_for(instance.get_runs, START_S, "no run started in time")
    finished = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
    wait_for(lambda: instance.get_runs()[0].status in finished, RUN_S, "the run did not end")
    (record,) = instance.get_runs()
    assert (record.job_name, record.status) == ("retrain", dg.DagsterRunStatus.SUCCESS)
    return record


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
    record = finished_run(daemon)
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


def test_an_hour_of_shoppers_becomes_the_release_that_serves_them(shop: Path, tmp_path: Path):
    paths = Paths(shop)
    texts = pd.read_parquet(paths.queries)["query"].tolist()
    names = ("searches", "engagements")
    before = {name: len(pd.read_parquet(getattr(paths, name))) for name in names}
    with daemon_of(shop, tmp_path) as instance, served(shop) as (_, client):
        assert client.get("/readyz").json()["release"] == "v1"
        shopped = dict(zip(names, shop_for_an_hour(client, texts, 1), strict=True))
        looks = len(ticks(instance))
        wait_for(lambda: len(ticks(instance)) > looks + 1, 300, "the sensor does not look")
        assert instance.get_runs() == []  # what is still being written is nobody's input
        assert client.post("/log/close", json={}).json()["file"]
        record = finished_run(instance)
        ready = lambda: client.get("/readyz").json()  # noqa: E731
        wait_for(lambda: ready()["release"] == "v2", START_S, "the service does not switch")
        assert ready()["warnings"] == []
        answer = client.get("/search?q=red+dress&track=false").json()
        assert (answer["release"], len(answer["hits"]) > 0) == ("v2", True)
        assert "up to date" in run(shop, "dvc", "status")
        assert [each.run_id for each in instance.get_runs()] == [record.run_id]
    aside = pd.read_parquet(paths.quarantine / "quarantine.parquet")
    assert not set(aside["source"]) & {"searches", "engagements", "log files"}
    after = {name: len(pd.read_parquet(getattr(paths, name))) for name in names}
    assert {name: after[name] - before[name] for name in names} == shopped
