"""Ranks that Ray Train begins on the two machines of a cluster."""

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from smar.artifacts import verify_directory
from smar.cli import main
from smar.errors import ClusterError, DataError
from smar.models.io import KIND
from smar.params import ClusterParams
from smar.paths import Paths
from smar.provenance import provenance
from smar.train.on_cluster import train_on_ray
from tests.shards import work
from tests.shards.conftest import cluster  # noqa: F401 - a fixture

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("cluster")]
RAY = ClusterParams(kind="ray", ranks=2)
Change = Callable[[Path, dict[str, Any]], None]


def test_two_ranks_of_a_cluster_write_the_model_that_one_process_writes(
    untrained_project: Path, change_params: Change
):
    places, found = Paths(untrained_project), []
    for kind, ranks in (("local", 1), ("ray", 2)):
        change_params(untrained_project, {"cluster.kind": kind, "cluster.ranks": ranks})
        assert main(["pretrain", "--root", str(untrained_project), "--quiet"]) == 0
        verify_directory(places.pretrained, KIND)
        assert provenance(untrained_project, places.pretrained)["stage"] == "pretrain"
        found.append(load_file(places.pretrained / "model.safetensors"))
        rmtree(places.pretrained)
    assert found[0].keys() == found[1].keys()
    assert all(torch.allclose(found[0][name], found[1][name], atol=2e-3) for name in found[0])
    assert list(places.work.glob("ray-*")) == []


@pytest.mark.slow
def test_a_rank_that_is_lost_is_started_again_and_all_go_on_from_the_checkpoint(
    untrained_project: Path, change_params: Change
):
    changes = {"pretrain.steps": 60, "pretrain.checkpoint_s": 0.01}
    change_params(untrained_project, changes | {"cluster.kind": "ray", "cluster.ranks": 2})
    places, killed = Paths(untrained_project), list[int]()

    def kill() -> None:
        while not list((places.work / "checkpoints").glob("*/progress.json")):
            time.sleep(0.05)
        workers = [
            p
            for p in psutil.process_iter(["cmdline"])
            if p.info["cmdline"] and "RayTrain" in p.info["cmdline"][0]
        ]
        killed.append(workers[-1].pid)
        workers[-1].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    assert main(["pretrain", "--root", str(untrained_project), "--quiet"]) == 0
    killer.join()
    assert killed
    verify_directory(places.pretrained, KIND)


@pytest.mark.parametrize(
    ("times", "is_done"), [(1, True), pytest.param(9, False, marks=pytest.mark.slow)]
)
def test_lost_ranks_are_begun_again_so_often(tmp_path: Path, times: int, is_done: bool):
    (tmp_path / "mark").mkdir()
    rank = partial(work.a_rank, tmp_path / "mark", times)
    if is_done:
        train_on_ray("training", rank, RAY, 1, tmp_path / "work")
        assert (tmp_path / "mark" / "0 of 2").exists()
        assert (tmp_path / "mark" / "1 of 2").exists()
    else:
        with pytest.raises(ClusterError, match=r"training: ranks were lost 4 times"):
            train_on_ray("training", rank, RAY, 1, tmp_path / "work")


def test_an_error_of_a_rank_is_the_error_of_the_caller(tmp_path: Path):
    with pytest.raises(DataError, match="nothing to train on"):
        train_on_ray("training", work.refusing_rank, RAY, 1, tmp_path / "work")


def test_more_ranks_than_the_cluster_has_room_for_are_refused(tmp_path: Path):
    many = RAY.model_copy(update={"ranks": 9})
    with pytest.raises(ClusterError, match=r"9 processes of 1 CPUs .* has 4 CPUs"):
        train_on_ray("training", work.refusing_rank, many, 1, tmp_path / "work")
