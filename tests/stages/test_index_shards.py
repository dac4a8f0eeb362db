"""The index of a shop in shards: found as in one, and only shards that changed are written."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smar.artifacts import Manifest, read_manifest
from smar.cli import main
from smar.errors import ArtifactError
from smar.index.fitting import Fitting
from smar.index.hybrid import HybridIndex
from smar.index.store import EmbeddingStore, write_store
from smar.paths import Paths
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever
from smar.stages import index
from tests.conftest import set_params

APPROXIMATE = {"index.exact_below": 20, "index.recall_target": 0.5}
COUNT = 5
REQUESTS = [
    {"query": query, "filters": condition, "facets": ["brand"], "explain": True}
    for query in ("red lamp", "boot", "zzz")
    for condition in ({}, {"price": {"lt": 60}}, {"availability": "in_stock"})
]


def files(root: Path) -> dict[str, Path]:
    return {path.name: path for path in Paths(root).index.glob("*.faiss")}


def content(root: Path) -> dict[str, bytes]:
    folder = Paths(root).index
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def change(root: Path, row: int) -> str:
    """Give an item another vector, and return the file of its shard."""
    paths = Paths(root)
    store = EmbeddingStore.load(paths.embeddings)
    text = np.array(store.text)
    text[row] = np.roll(text[row], 1)
    parts = {name: getattr(store, name) for name in ("image", "multimodal", "model_sha")}
    changed = EmbeddingStore(store.item_ids, store.content_shas, text, **parts)
    write_store(paths.embeddings, changed, Manifest(kind="embeddings"))
    return f"index-{HybridIndex.load(paths.index).vectors.layout.numbers[row]}.faiss"


@pytest.mark.parametrize("settings", [{}, APPROXIMATE], ids=["exact", "approximate"])
def test_a_shop_in_shards_answers_as_one(small_project: Path, settings: dict[str, Any]):
    answers = []
    for count in (1, COUNT):
        set_params(small_project, settings | {"index.shards": count})
        index.run(small_project)
        shop = Retriever.load(small_project, "none")
        for _ in range(2):
            found = shop.answer_many([SearchRequest.read(request) for request in REQUESTS])
            answers.append([(a.hits, a.total, a.facets, a.corrected) for a in found])
            answers[-1].append(shop.similar(shop.index.item_ids[3], 9))
            shop.hasten()
    assert answers[0] == answers[2]
    assert answers[1] == answers[3]
    assert len(files(small_project)) == COUNT
    told = read_manifest(Paths(small_project).index, "index")
    assert sum(told.details["shards"].values()) == told.counts["items"] == 150
    assert set(told.details["shards"]) <= set(told.files)
    assert told.params["shards"] == COUNT


@pytest.mark.parametrize("settings", [{}, APPROXIMATE], ids=["exact", "approximate"])
def test_only_shards_with_changed_items_are_written(small_project: Path, settings: dict[str, Any]):
    set_params(small_project, settings | {"index.shards": COUNT})
    index.run(small_project)
    before = {name: file.stat().st_ino for name, file in files(small_project).items()}
    own = change(small_project, 17)
    index.run(small_project)
    after = {name: file.stat().st_ino for name, file in files(small_project).items()}
    assert {name for name in before if before[name] != after[name]} == {own}
    linked = content(small_project)
    shutil.rmtree(small_project / ".smar/index")
    index.run(small_project)
    if not settings:  # lists that are trained anew are others
        anew = content(small_project)
        assert {name: anew[name] for name in before} == {name: linked[name] for name in before}


@pytest.mark.parametrize("how", ["damaged", "cut", "missing"])
def test_a_kept_shard_that_is_lost_is_written_anew_and_nothing_else(
    small_project: Path,
    how: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    set_params(small_project, APPROXIMATE | {"index.shards": COUNT})
    index.run(small_project)
    expected = content(small_project)
    before = {name: file.stat().st_ino for name, file in files(small_project).items()}
    lost = next((small_project / ".smar/index/shards").iterdir())
    own = next(name for name, inode in before.items() if inode == lost.stat().st_ino)
    held = bytearray(lost.read_bytes())
    held[-1] ^= 1
    lost.unlink()
    if how != "missing":
        lost.write_bytes(held if how == "damaged" else held[:-9])
    monkeypatch.setattr(Fitting, "fitted", None)
    index.run(small_project)
    told = "missing" if how == "missing" else "damaged"
    assert f"{told}, the shard is written anew" in caplog.text
    assert content(small_project) == expected
    after = {name: file.stat().st_ino for name, file in files(small_project).items()}
    assert {name for name in before if before[name] != after[name]} == {own}


def test_other_numbers_of_shards_are_other_files(small_project: Path):
    for count in (COUNT, 2, 1):
        set_params(small_project, APPROXIMATE | {"index.shards": count})
        index.run(small_project)
        assert len(files(small_project)) == count


def test_a_search_without_a_shard_is_an_error_that_names_it(
    small_project: Path, capsys: pytest.CaptureFixture[str]
):
    set_params(small_project, {"index.shards": COUNT})
    index.run(small_project)
    files(small_project)["index-3.faiss"].unlink()
    assert main(["search", "lamp", "--root", str(small_project), "--release", "none"]) == 2
    assert "index-3.faiss is missing" in capsys.readouterr().err
    with pytest.raises(ArtifactError, match=r"index-3\.faiss is missing"):
        HybridIndex.load(Paths(small_project).index)
