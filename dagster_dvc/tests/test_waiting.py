"""Runs that want one path wait for each other, whoever started them; others run side by side."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from dagster_dvc.running.job import Report
from dagster_dvc.running.waiting import is_locked, wait_until_free
from dagster_dvc.tests.support import run, write_pipeline
from dagster_dvc.tests.test_resources import is_running, wait_for

pytestmark = pytest.mark.whole

RUN = """
from pathlib import Path
import dagster as dg
from dagster_dvc import DvcProjectComponent

@dg.definitions
def defs():
    return DvcProjectComponent(root="").definitions(Path.cwd())
"""
# Takes as long as the test wants.
TRAIN = """
import pathlib, time
pathlib.Path("started").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.05)
pathlib.Path("model.txt").write_text("new")
"""
STAGES: dict[str, Any] = {
    "train": {"cmd": "python train.py", "deps": ["train.py"], "outs": ["model.txt"]},
    "tune": {"cmd": "cat model.txt > tuned.txt", "deps": ["model.txt"], "outs": ["tuned.txt"]},
    "apart": {"cmd": "touch apart.txt", "outs": ["apart.txt"]},
}


@pytest.fixture
def trained(empty: Path) -> Path:
    """Stages that have run once; the first has to run again, and takes its time."""
    (empty / "train.py").write_text("open('model.txt', 'w').write('old')\n")
    write_pipeline(empty, {"stages": STAGES})
    run(empty, "dvc", "repro", "-q", "train", "tune")
    (empty / "train.py").write_text(TRAIN)
    return empty


class Runs:
    """Runs of single assets, each a process of its own, as *Materialize* starts them."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root, self.home = root, home
        self.started: list[subprocess.Popen[Any]] = []
        home.mkdir()
        (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        (home / "defs.py").write_text(RUN)

    def start(self, asset: str) -> subprocess.Popen[Any]:
        command = [sys.executable, "-m", "dagster", "asset", "materialize", "--select", asset]
        with (self.home / f"{asset}.log").open("w") as log:
            process = subprocess.Popen(
                [*command, "-f", str(self.home / "defs.py")], cwd=self.root, stdout=log,
                stderr=subprocess.STDOUT, env=os.environ | {"DAGSTER_HOME": str(self.home)},
            )  # fmt: skip
        self.started.append(process)
        return process

    def log(self, asset: str) -> str:
        return (self.home / f"{asset}.log").read_text()


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Any:
    made = Runs(trained, tmp_path / "home")
    yield made
    (trained / "go").touch()
    for process in made.started:
        process.kill()
        process.wait()


def test_run_of_what_reads_a_running_stage_waits_for_it(runs: Runs, trained: Path):
    train = runs.start("train")
    wait_for((trained / "started").exists)
    tune, apart = runs.start("tune"), runs.start("apart")
    assert apart.wait(60) == 0
    wait_for(lambda: "waiting for" in runs.log("tune"))
    assert (train.poll(), tune.poll()) == (None, None)
    (trained / "go").touch()
    assert (train.wait(60), tune.wait(60)) == (0, 0)
    assert (trained / "tuned.txt").read_text() == "new"
    assert run(trained, "dvc", "status", "--json").strip() == "{}"
    said = runs.log("tune")
    assert f"waiting for {trained}/model.txt, which is in use by process" in said
    assert said.count("waiting for") == 1
    assert "manually remove" not in said
    assert "UP_FOR_RETRY" not in said


@pytest.mark.slow
def test_run_that_is_cancelled_while_it_waits_touches_nothing(runs: Runs, trained: Path):
    runs.start("train")
    wait_for((trained / "started").exists)
    tune = runs.start("tune")
    wait_for(lambda: "waiting for" in runs.log("tune"))
    tune.send_signal(signal.SIGINT)
    assert tune.wait(30) != 0
    wait_for(lambda: is_running("train.py", trained))
    assert "brought back" not in runs.log("tune")
    assert not (trained / "model.txt").exists()


def test_held_path_is_waited_for_where_dvc_names_another(tmp_path: Path):
    """DVC names the path that it compared last: a third process held one of its own meanwhile."""
    file, model, tuned = tmp_path / "rwlock", tmp_path / "model.txt", tmp_path / "tuned.txt"
    me, said = os.getpid(), []
    holder = {"pid": me, "cmd": "dvc"}
    file.write_text(json.dumps({"write": {str(model): holder}, "read": {}}))
    report = Report()
    for line in (
        f"ERROR: '{tuned}' is busy, it is being blocked by:",
        f"  (PID {me}): dvc repro",
        "If there are no processes with such PIDs, you can manually "
        f"remove '{file}' and try again.",
    ):
        report.read(line)
    seen = iter([False, False, True])  # whether to stop: twice it was looked whether it is free
    watch: Any = SimpleNamespace(is_over=lambda: next(seen))
    pipes: Any = SimpleNamespace(log=SimpleNamespace(info=lambda *text: said.append(text)))
    assert not wait_until_free(report, [str(model), str(tuned)], watch, pipes)
    assert said == [("waiting for %s", f"{model}, which is in use by process {me}")]


def test_lock_of_a_path_is_that_of_what_lies_in_it_or_holds_it(tmp_path: Path):
    file, me, nobody = tmp_path / "rwlock", os.getpid(), 2**22 + 1
    assert not psutil.pid_exists(nobody)
    write = {"/a/b": {"pid": me, "cmd": "dvc"}, "/gone": {"pid": nobody, "cmd": "dvc"}}
    file.write_text(json.dumps({"write": write, "read": {"/r": [{"pid": me, "cmd": "dvc"}]}}))
    held = ["/a/b", "/a", "/a/b/c", "/r", "/gone", "/a/bc"]
    assert [is_locked(file, path, {me, nobody}) for path in held] == [True] * 4 + [False] * 2
    assert not is_locked(file, "/a/b", {nobody})
    assert not is_locked(tmp_path / "none", "/a/b", {me})
    file.write_text('{"write": {')
    assert is_locked(file, "/a/b", {me})
