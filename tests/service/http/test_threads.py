"""The threads of a search hold where searches run."""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import faiss
import pytest

from smar.service.http.batching import Batcher
from smar.service.http.settings import Settings
from smar.service.http.threads import limit_thread, threads_of


def test_the_thread_that_answers_has_its_own_limit():
    before = faiss.omp_get_max_threads()
    wanted = before + 5  # what no thread begins with
    batcher: Batcher[int, int] = Batcher(
        lambda batch: [faiss.omp_get_max_threads() for _ in batch],
        max_waiting=8,
        max_batch=4,
        deadline_s=9.0,
        begin=partial(limit_thread, wanted),
    )
    assert batcher.submit(0).result(9) == wanted
    batcher.close()
    assert faiss.omp_get_max_threads() == before


@pytest.mark.parametrize(
    ("settings", "cores", "expected"),
    [({"workers": 2}, 2, 1), ({}, 2, 2), ({"workers": 8}, 2, 1), ({"threads": 3}, 2, 3)],
)
def test_processors_are_shared_by_the_workers(
    settings: dict[str, int], cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    assert threads_of(Settings(**settings)) == expected


@pytest.mark.parametrize(
    ("given", "expected"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "active"}, "ACTIVE")]
)
def test_threads_of_a_service_sleep_where_they_wait(
    tmp_path: Path, small_parameters: Path, given: dict[str, str], expected: str
):
    shutil.copy(small_parameters, tmp_path / "params.yaml")
    env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    env |= {"OMP_DISPLAY_ENV": "true", **given}
    command = [sys.executable, "-m", "smar", "serve", "--root", tmp_path, "--port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert "Run `dvc repro`" in ended.stderr  # there is nothing to serve; Faiss is loaded by then
    assert f"OMP_WAIT_POLICY = '{expected}'" in ended.stderr
