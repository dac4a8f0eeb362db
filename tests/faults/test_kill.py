"""kill -9 at random moments, two pipelines at once, a clock that goes backwards."""

import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from smar.artifacts import verify_directory
from smar.release.verify import verify_release
from smar.service import registry

pytestmark = pytest.mark.faults

KILLS = int(os.environ.get("SMAR_KILLS", "5"))
Start = Callable[[Path], BaseProcess]
Fingerprint = Callable[[Path], dict[str, str]]
Change = Callable[[Path, dict[str, Any]], None]
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
#include <sys/time.h>
static const long BACK = 400L * 86400;
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec -= BACK;
    return code;
}
time_t time(time_t *out) {
    struct timespec now; clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""


@pytest.fixture
def changed(small_project: Path, change_params: Change) -> Path:
    """A project with v1, whose parameters changed: the next run makes everything anew, and v2."""
    generous = {"promote.margin": 1.0, "promote.slice_margin": 1.0, "promote.max_latency_ms": 1e6}
    generous |= {"promote.max_latency_ratio": 1e6, "seed": 11, "finetune.checkpoint_s": 0.05}
    change_params(small_project, generous | {"pretrain.checkpoint_s": 0.05})
    return small_project


def finish(process: BaseProcess) -> int | None:
    process.join(600)
    return process.exitcode


def test_killed_pipeline_run_again_ends_in_the_same_artefacts(
    changed: Path,
    tmp_path: Path,
    start: Start,
    pipeline: ModuleType,
    fingerprint_of: Fingerprint,
    record_property: Callable[[str, object], None],
):
    """The same for every one of SMAR_KILLS (5) moments, drawn over the length of a whole run."""
    undisturbed = Path(shutil.copytree(changed, tmp_path / "undisturbed", symlinks=True))
    length = seconds_of(lambda: finish(start(undisturbed)))
    expected = fingerprint_of(undisturbed)
    assert expected["releases/current"] == "v2"
    first, second = pipeline.answer(changed), pipeline.answer(undisturbed)
    draws = random.Random(3)
    killed = beyond = 0
    releases = []
    while killed < KILLS:
        root = Path(shutil.copytree(changed, tmp_path / "killed", symlinks=True))
        moment = draws.uniform(0, length)
        was_killed = kill_at(moment, start(root))
        told = f"kill {killed} at {moment:.2f} s of {length:.2f} s"
        if was_killed:
            killed += 1
            releases.append(registry.current_version(root))
            assert pipeline.answer(root) in (first, second), told
            # What a run takes depends on what else the machine does, so it is measured each time.
            length = seconds_of(lambda project=root: finish(start(project)))
            found = fingerprint_of(root)
            differing = {n for n in {*expected, *found} if expected.get(n) != found.get(n)}
            assert not differing, f"{told}: {differing}"
        else:
            beyond += 1
            length *= 0.9
            assert beyond <= 5 * KILLS, "runs end long before the moments drawn for killing them"
        shutil.rmtree(root)
    after = releases.count("v2")
    record_property("killed", f"{killed}, {after} of them after the switch; {beyond} came too late")


def seconds_of(run: Callable[[], int | None]) -> float:
    """Run a pipeline, which has to succeed, and return how long that took."""
    began = time.monotonic()
    assert run() == 0
    return time.monotonic() - began


def kill_at(moment: float, process: BaseProcess) -> bool:
    """Kill a process after so many seconds and return whether it was still at work."""
    process.join(moment)
    is_alive = process.is_alive()
    if is_alive:
        process.kill()
    process.join()
    return is_alive and process.exitcode == -signal.SIGKILL


def test_two_pipelines_at_once_leave_whole_artefacts_and_a_release_that_answers(
    changed: Path, start: Start, pipeline: ModuleType
):
    both = [start(changed), start(changed)]
    codes = [finish(process) for process in both]
    assert set(codes) <= {0, 2}
    assert pipeline.answer(changed)
    assert verify_release(changed)
    # One more run sets right whatever the two took from each other.
    assert finish(start(changed)) == 0
    for version in registry.versions(changed):
        verify_directory(changed / "releases" / version, registry.KIND)
    assert pipeline.answer(changed)


def test_second_dvc_repro_is_told_to_wait(tmp_path: Path):
    binaries = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    run("git", "init", "-q")
    run("dvc", "init", "-q")
    # The stage itself runs without DVC's lock; both want to run the same stage.
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  slow:\n    cmd: sleep 6 && echo done > out.txt\n    outs: [out.txt]\n"
    )
    dvc = str(binaries / "dvc")
    with subprocess.Popen([dvc, "repro"], cwd=tmp_path, env=environment) as first:
        time.sleep(4)
        second = run("dvc", "repro")
        assert second.returncode != 0
        assert "lock" in (second.stdout + second.stderr)
        assert first.wait() == 0
    assert (tmp_path / "out.txt").read_text() == "done\n"


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler to turn the clock back")
def test_clock_that_goes_backwards_changes_no_order(
    changed: Path, tmp_path: Path, pipeline: ModuleType
):
    source, library = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(CLOCK)
    compiler = str(shutil.which("cc"))
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True
    )
    ctypes.CDLL(str(library))
    command = [sys.executable, "-W", "ignore", pipeline.__file__, str(changed)]
    environment = os.environ | {"LD_PRELOAD": str(library)}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    created = [registry.read_release(changed, v).details["created"] for v in ("v1", "v2")]
    assert created[0] > created[1]
    assert registry.current_version(changed) == "v2"
    assert [switch.version for switch in registry.history(changed)] == ["v1", "v2"]
    assert json.loads((changed / "metrics" / "promote.json").read_text())["release"] == 2
    assert registry.rollback(changed).version == "v1"
    assert pipeline.answer(changed)
