"""A training stage run by several processes of this machine."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
import torch
from psutil import Process, wait_procs
from safetensors.torch import load_file

from smar.artifacts import verify_directory
from smar.cli import main
from smar.models.io import KIND
from smar.paths import Paths
from smar.provenance import provenance

pytestmark = pytest.mark.whole
Change = Callable[[Path, dict[str, Any]], None]


@pytest.fixture
def project(untrained_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose ranks find each other on this machine."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    return untrained_project


def test_two_ranks_write_the_model_that_one_writes(project: Path, change_params: Change):
    places, found = Paths(project), []
    for ranks in (1, 2):
        change_params(project, {"cluster.ranks": ranks})
        assert main(["pretrain", "--root", str(project), "--quiet"]) == 0
        verify_directory(places.pretrained, KIND)
        assert provenance(project, places.pretrained)["stage"] == "pretrain"
        found.append(load_file(places.pretrained / "model.safetensors"))
        rmtree(places.pretrained)
    assert found[0].keys() == found[1].keys()
    assert all(torch.allclose(found[0][name], found[1][name], atol=2e-3) for name in found[0])


def ranks_of(run: "subprocess.Popen[str]") -> list[Process]:
    """Return the processes that train, without the one that started them."""
    below = Process(run.pid).children(recursive=True)
    return [each for each in below if each.cmdline()[1:4] == ["-u", "-m", "smar"]]


def test_a_killed_rank_stops_the_stage_and_the_next_run_goes_on(
    project: Path, change_params: Change
):
    changes = {"pretrain.steps": 4000, "pretrain.checkpoint_s": 0.01, "cluster.ranks": 2}
    change_params(project, changes)
    command = [sys.executable, "-m", "smar", "pretrain", "--root", str(project)]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    checkpoints = Paths(project).work / "checkpoints"
    until = time.monotonic() + 120
    while not list(checkpoints.glob("*/progress.json")):
        assert run.poll() is None
        assert time.monotonic() < until
        time.sleep(0.2)
    ranks_of(run)[-1].kill()
    _, told = run.communicate(timeout=120)
    assert run.returncode == 2
    assert "goes on from the last checkpoint" in told
    assert not Paths(project).pretrained.exists()
    # The checkpoint is of a run of 4,000 steps: one that asks for as many goes on from it.
    again = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert again.stderr is not None
    assert any("going on from step" in line for line in again.stderr)
    ranks = ranks_of(again)
    assert len(ranks) == 2
    again.kill()
    again.wait()
    again.stderr.close()
    _, alive = wait_procs(ranks, timeout=30)
    assert not alive, "they end with what began them"


def test_other_stages_are_not_run_by_several(project: Path, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]):  # fmt: skip
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["index", "--root", str(project), "--quiet"]) == 2
    assert "only trainings are run by several" in capsys.readouterr().err
