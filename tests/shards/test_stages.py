"""Stages whose shards go to a cluster write the bytes that they write without one."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import pytest

from benchmarks.scale import write_params
from benchmarks.scale_shop import write_shop
from smar.cli import main
from smar.evaluation import systems
from smar.features import making
from smar.index import lists
from smar.paths import Paths
from smar.sources import picture_reading
from smar.stages import embed, synthesize
from tests.models.backbones.conftest import zoo  # noqa: F401 - a fixture
from tests.models.backbones.test_backbones import Zoo

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("cluster")]
Change = Callable[[Path, dict[str, Any]], None]


def run(project: Path, stage: str) -> None:
    assert main([stage, "--root", str(project), "--quiet"]) == 0


def content(place: Path) -> dict[str, bytes]:
    files = [place] if place.is_file() else [f for f in place.rglob("*") if f.is_file()]
    return {str(file.relative_to(place)): file.read_bytes() for file in files}


def of_both(
    project: Path, change_params: Change, stage: str, *written: Path
) -> list[list[dict[str, bytes]]]:
    """Return what a stage writes, made anew without a cluster and on one."""
    found = []
    for kind in ("local", "ray"):
        change_params(project, {"cluster.kind": kind})
        for place in written:
            place.unlink() if place.is_file() else rmtree(place, ignore_errors=True)
        run(project, stage)
        found.append([content(place) for place in written])
        assert all(found[-1])
    return found


def test_embeddings_of_a_cluster_are_the_same_bytes(
    small_project: Path, change_params: Change, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(embed, "_SHARD", 16)
    change_params(small_project, {"threads": 1})
    here, there = of_both(small_project, change_params, "embed", Paths(small_project).embeddings)
    assert here == there


def test_index_of_a_cluster_is_the_same_bytes(
    small_project: Path, change_params: Change, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lists, "_AT_ONCE", 32)
    changes = {"index.exact_below": 20, "index.recall_target": 0.5, "index.shards": 3}
    change_params(small_project, changes | {"threads": 1, "index.refit_frac": 0})
    places = Paths(small_project)
    written = (places.index, places.work / "index")
    here, there = of_both(small_project, change_params, "index", *written)
    assert here == there
    assert len([name for name in here[0] if name.endswith(".faiss")]) == 3


def test_queries_drawn_by_a_cluster_are_the_same_bytes(
    small_project: Path, change_params: Change, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(synthesize, "_ITEMS", 16)
    places = Paths(small_project)
    folders = (places.synthetic, places.work / "synthetic")
    here, there = of_both(small_project, change_params, "synthesize", *folders)
    assert here == there


def test_evaluation_by_a_cluster_is_the_same_bytes(
    small_project: Path, change_params: Change, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(systems, "_BLOCK", 7)  # by this process; workers take what they are given
    change_params(small_project, {"threads": 1})
    places = Paths(small_project)
    written = (places.evaluation_report, places.metrics("evaluate"))
    here, there = of_both(small_project, change_params, "evaluate", *written)
    assert here == there


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


def test_pictures_decoded_by_a_cluster_are_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change_params: Change
):
    monkeypatch.setattr(picture_reading, "_SHARD", 9)
    write_params(tmp_path, pictures=True)
    raw, paths = tmp_path / "data" / "raw", Paths(tmp_path)
    write_shop(raw, 130, 7)
    folder = raw / "images" / "0"
    whole = (folder / "p0000003.jpg").read_bytes()
    (folder / "p0000003.jpg").write_bytes(whole[: len(whole) * 3 // 4])  # is used as far as it goes
    (folder / "p0000004.jpg").write_bytes(b"")
    (folder / "p0000005.jpg").unlink()
    (folder / "p0000007.jpg").write_bytes((folder / "p0000006.jpg").read_bytes())
    places = (paths.images, paths.quarantine, tmp_path / "data" / "items.parquet")
    kept = paths.work / "pictures"
    kept.mkdir(parents=True)
    here, there = of_both(tmp_path, change_params, "ingest", *places, kept)
    assert here[:-1] == there[:-1]
    change_params(tmp_path, {"cluster.address": "127.0.0.1:1"})
    run(tmp_path, "ingest")  # has nothing to decode, and asks nobody
    assert [content(place) for place in places] == there[:-1]
