"""Stages whose shards go to a cluster write the bytes that they write without one."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import pytest

from smar.cli import main
from smar.evaluation import systems
from smar.features import making
from smar.paths import Paths
from smar.stages import embed, synthesize
from tests.models.backbones.conftest import zoo  # noqa: F401 - a fixture
from tests.models.backbones.test_backbones import Zoo

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("cluster")]
Change = Callable[[Path, dict[str, Any]], None]


def run(project: Path, stage: str) -> None:
    assert main([stage, "--root", str(project), "--quiet"]) == 0


def content(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_embeddings_of_a_cluster_are_the_same_bytes(
    small_project: Path, change_params: Change, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(embed, "_SHARD", 16)
    places = Paths(small_project)
    found = []
    for kind in ("local", "ray"):
        change_params(small_project, {"threads": 1, "cluster.kind": kind})
        for file in places.embeddings.iterdir():
            file.unlink()
        places.embeddings.rmdir()
        run(small_project, "embed")
        found.append(content(places.embeddings))
    assert found[0] == found[1]


def test_queries_drawn_by_a_cluster_are_the_same_bytes(
    small_project: Path, change_params: Change, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(synthesize, "_ITEMS", 16)
    places = Paths(small_project)
    found = []
    for kind in ("local", "ray"):
        change_params(small_project, {"cluster.kind": kind})
        rmtree(places.synthetic)
        rmtree(places.work / "synthetic", ignore_errors=True)
        run(small_project, "synthesize")
        found.append((content(places.synthetic), content(places.work / "synthetic")))
    assert found[0] == found[1]


def test_evaluation_by_a_cluster_is_the_same_bytes(
    small_project: Path, change_params: Change, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(systems, "_BLOCK", 7)  # by this process; workers take what they are given
    places = Paths(small_project)
    found = []
    for kind in ("local", "ray"):
        change_params(small_project, {"threads": 1, "cluster.kind": kind})
        rmtree(places.evaluation_report, ignore_errors=True)
        run(small_project, "evaluate")
        found.append(
            content(places.evaluation_report) | {"": places.metrics("evaluate").read_bytes()}
        )
    assert found[0] == found[1]


def test_features_of_a_cluster_are_the_same_bytes(
    small_project: Path,
    zoo: Zoo,  # noqa: F811
    change_params: Change,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    monkeypatch.setattr(making, "_SHARD_BYTES", 4000)
    copytree(zoo("resnet").folder, small_project / "backbones" / "pixels.model")
    changes = {"model.image.pretrained": "pixels", "model.image.unfreeze": "none", "threads": 1}
    change_params(small_project, changes)
    found = []
    for kind in ("local", "ray"):
        change_params(small_project, {"cluster.kind": kind})
        run(small_project, "features")
        made = Paths(small_project).features
        found.append(content(made))
        made.rename(tmp_path / kind)
    assert found[0] == found[1]
    assert len([name for name in found[0] if "shard-" in name]) > 2
