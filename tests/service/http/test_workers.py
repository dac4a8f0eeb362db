"""Several processes on one port: one log, one release, one set of counts, and none is missed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from smar.service import registry
from tests.service.http.test_live import publish_again, wait_for

SETTINGS = {
    "workers": 2, "port": 0, "per_client_s": 0, "log_free_mb": 0, "access_log": False,
    "encoder": "torch",
}  # fmt: skip
PATIENCE_S = 120  # processes begin slowly where the machine has much else to do


@contextmanager
def started(root: Path) -> Iterator[tuple[subprocess.Popen[str], Callable[..., httpx.Response]]]:
    """Run `smar serve` and yield it with what sends a request over a connection of its own."""
    (root / "serve.yaml").write_text(json.dumps(SETTINGS))
    command = [sys.executable, "-m", "smar", "serve", "--root", str(root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().split()[0]

    def ask(method: str, path: str, **options: object) -> httpx.Response:
        with httpx.Client(base_url=address, timeout=60) as client:
            return client.request(method, path, **options)  # type: ignore[arg-type]

    try:
        yield process, ask
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        process.stdout.close()


def workers_of(process: subprocess.Popen[str]) -> set[int]:
    """Return the processes that answer; Python's own helper of them is none."""
    found = set()
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.Error):  # it has just ended
            if "spawn_main" in " ".join(child.cmdline()):
                found.add(child.pid)
    return found


def metric(ask: Callable[..., httpx.Response], line: str) -> float:
    found = [row for row in ask("GET", "/metrics").text.splitlines() if row.startswith(f"{line} ")]
    return float(found[0].split()[-1]) if found else 0.0


def logged(root: Path) -> int:
    files = [*(root / ".smar/ubi").glob("*"), *(root / ".smar/events").glob("*.ndjson")]
    return sum(len(file.read_bytes().splitlines()) for file in files)


@pytest.mark.whole
def test_processes_share_a_port_and_a_killed_one_is_started_again(small_project: Path):
    with started(small_project) as (process, ask):
        wait_for(lambda: metric(ask, "smar_workers") == 2, PATIENCE_S)
        first = workers_of(process)
        assert len(first) == 2
        for _ in range(40):
            assert ask("GET", "/search?q=lamp&limit=1").status_code == 200
        asked = 'smar_requests_total{route="/search",status="200"}'
        wait_for(lambda: metric(ask, asked) == 40, PATIENCE_S)  # the other counts once a second

        killed = min(first)
        os.kill(killed, signal.SIGKILL)
        answered = 0
        while len(workers_of(process) - {killed}) < 2 or metric(ask, "smar_workers") < 2:
            try:
                assert ask("GET", "/search?q=lamp&limit=1").status_code == 200
                answered += 1
            except httpx.TransportError:  # of a connection that the killed one had taken
                assert answered < 3
            time.sleep(0.05)
        assert answered > 0
        # What the killed one had counted stays.
        wait_for(lambda: metric(ask, asked) == 40 + answered, PATIENCE_S)

        assert publish_again(small_project) == "v2"
        wait_for(lambda: metric(ask, 'smar_release{release="v2"}') == 2, PATIENCE_S)
        assert {ask("GET", "/search?q=lamp").json()["release"] for _ in range(10)} == {"v2"}
        registry.rollback(small_project)
        back_s = wait_for(lambda: metric(ask, 'smar_release{release="v1"}') == 2, PATIENCE_S)
        assert back_s < 5  # within a second, and one more until the counts of all are read
        answered += 10

        event = {"action_name": "click", "query_id": "q1", "client_id": "c"}
        assert ask("POST", "/ubi_events", json=[event]).json() == {"kept": 1}
        closed = ask("POST", "/log/close", json={}).json()["files"]
        assert closed
        assert not list((small_project / ".smar/events").glob("*.ndjson"))
        ask("GET", "/search?q=lamp&limit=1")
        last = workers_of(process)
    assert not [pid for pid in last if psutil.pid_exists(pid)]
    assert logged(small_project) == 40 + answered + 1 + 1
    assert not list((small_project / ".smar/events").glob("*.ndjson"))


@pytest.mark.whole
def test_processes_that_cannot_begin_end_all_and_end_with_the_first(small_project: Path):
    with started(small_project) as (process, _):
        workers = workers_of(process)
        process.kill()
        process.wait()
        wait_for(lambda: not any(psutil.pid_exists(pid) for pid in workers), PATIENCE_S)
    (small_project / "releases/v1/index/index.faiss").chmod(0o644)
    (small_project / "releases/v1/index/index.faiss").write_bytes(b"damaged")
    command = [sys.executable, "-m", "smar", "serve", "--root", str(small_project)]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=2 * PATIENCE_S
    )
    assert ended.returncode == 2
    assert "damaged" in ended.stderr
    assert ended.stderr.splitlines()[-1] == "smar serve: no process could begin to serve."
