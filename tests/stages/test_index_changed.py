"""The index of a changed shop: what is kept of the run before, and when all is fitted anew."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from smar import content_keys
from smar.artifacts import Manifest, read_manifest, write_manifest
from smar.data import schema
from smar.data.images import ImageStore
from smar.data.text import item_texts
from smar.index import bests, fitting, kept, lists, picture_colours, row_file, shop_words
from smar.index.hybrid import HybridIndex
from smar.index.kept import Kept
from smar.index.layout import Layout
from smar.index.settings import candidates
from smar.index.store import EmbeddingStore, write_store
from smar.index.yardstick import Yardstick
from smar.models import encode
from smar.models.embeddings import QueryEmbeddings
from smar.paths import Paths
from smar.stages import index
from tests.conftest import set_params

APPROXIMATE = {"index.exact_below": 20, "index.recall_target": 0.5}


def change(root: Path, rows: int) -> None:
    """Give some items another title and other vectors, and all of them another order."""
    rng = np.random.default_rng(rows)
    paths = Paths(root)
    items = schema.read_table(paths.items, schema.ITEMS)
    store = EmbeddingStore.load(paths.embeddings)
    order, chosen = rng.permutation(len(items)), rng.choice(len(items), rows, replace=False)
    items.loc[chosen, "title"] += " renewed"
    parts = {}
    for name in ("text", "image", "multimodal"):
        part = np.array(getattr(store, name))
        drawn = rng.standard_normal((rows, part.shape[1])).astype(np.float32)
        part[chosen] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        parts[name] = part[order]
    ids, shas = (list(np.array(rows)[order]) for rows in (store.item_ids, store.content_shas))
    schema.write_table(paths.items, items.iloc[order], schema.ITEMS)
    changed = replace(store, item_ids=ids, content_shas=shas, **parts)
    write_store(paths.embeddings, changed, Manifest(kind="embeddings"))


def edit(root: Path, kind: str) -> None:
    """Change, remove, add or move some items."""
    if kind == "changed":
        change(root, 3)
        return
    paths, rng = Paths(root), np.random.default_rng(5)
    items = schema.read_table(paths.items, schema.ITEMS)
    store = EmbeddingStore.load(paths.embeddings)
    rows = np.arange(len(items))
    if kind == "removed":
        rows = np.delete(rows, [0, 70])
    elif kind == "added":
        rows = np.insert(rows, [0, 50], [7, 7])
    elif kind == "moved":
        rows = rng.permutation(rows)
    items = items.iloc[rows].reset_index(drop=True)
    names = ("text", "image", "multimodal")
    parts = {name: np.array(getattr(store, name))[rows] for name in names}
    if kind == "added":
        for row in (0, 51):  # the one like another but for its name, the other like none
            items.loc[row, ["item_id", "title"]] = f"added{row}", items.loc[row, "title"]
        items.loc[51, "title"] += " blimsy"
        parts["text"][51] = np.roll(parts["text"][51], 1)
    ids = items["item_id"].tolist()
    shas = list(np.array(store.content_shas)[rows])
    schema.write_table(paths.items, items, schema.ITEMS)
    changed = replace(store, item_ids=ids, content_shas=shas, **parts)
    write_store(paths.embeddings, changed, Manifest(kind="embeddings"))


def content(root: Path) -> dict[str, bytes]:
    """Return what the index consists of."""
    folder = Paths(root).index
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def made_anew(root: Path) -> dict[str, bytes]:
    """Return what the index consists of where nothing was kept."""
    shutil.rmtree(root / ".smar" / "index")
    index.run(root)
    return content(root)


def outcome(root: Path) -> dict[str, Any]:
    return json.loads(Paths(root).outcome("index").read_text())


def centres(root: Path) -> np.ndarray:
    """Return the centres of the lists."""
    found = faiss.read_index(str(Paths(root).index / "index.faiss"))
    return faiss.extract_index_ivf(faiss.downcast_index(found).base_index).quantizer.reconstruct_n()


@pytest.fixture
def without_fitting(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what makes every fitting fail from then on."""

    def refuse(*_: Any) -> None:
        raise AssertionError("fitted anew")

    return lambda: monkeypatch.setattr(fitting.Fitting, "fitted", refuse)


@pytest.mark.parametrize("settings", [{}, APPROXIMATE], ids=["exact", "approximate"])
def test_without_a_share_that_may_change_bytes_are_those_of_a_first_run(
    small_project: Path, settings: dict[str, Any]
):
    set_params(small_project, settings | {"index.refit_frac": 0})
    index.run(small_project)
    change(small_project, 3)
    index.run(small_project)
    assert content(small_project) == made_anew(small_project)


def test_few_changed_items_are_indexed_without_fitting(
    small_project: Path, without_fitting: Callable[[], None], monkeypatch: pytest.MonkeyPatch
):
    before = outcome(small_project)
    change(small_project, 3)
    with monkeypatch.context() as patched:
        patched.setattr(fitting.Fitting, "fitted", None)
        index.run(small_project)
    figures, found = outcome(small_project), content(small_project)
    assert figures["changed_since_fit"] == pytest.approx(0.02)
    assert figures["word_share"] == before["word_share"]
    anew = made_anew(small_project)
    assert outcome(small_project)["changed_since_fit"] == 0
    for name in ("index.faiss", "items.parquet", "words/data.csc.index.npy"):
        assert found[name] == anew[name]
    without_fitting()
    index.run(small_project)  # nothing changed
    assert content(small_project) == anew


def test_pictures_are_looked_at_once(small_project: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.rmtree(small_project / ".smar" / "index", ignore_errors=True)
    index.run(small_project)
    found = content(small_project)
    known = Kept.open(small_project / ".smar" / "index", "").read.colours
    assert len(known.keys) == len(ImageStore.open(Paths(small_project).images))
    with monkeypatch.context() as patched:
        patched.setattr(picture_colours, "colours_of", None)
        index.run(small_project)
    assert content(small_project) == found
    change(small_project, 3)
    with monkeypatch.context() as patched:
        patched.setattr(picture_colours, "colours_of", None)
        index.run(small_project)
    set_params(small_project, {"index.picture_words": 0})
    index.run(small_project)
    assert Kept.open(small_project / ".smar" / "index", "").read.colours is None


@pytest.mark.parametrize("settings", [{}, APPROXIMATE], ids=["exact", "approximate"])
def test_where_the_log_alone_changed_no_item_is_read_again(
    small_project: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    set_params(small_project, settings)
    index.run(small_project)
    paths = Paths(small_project)
    log = schema.read_arrow(paths.engagements)
    schema.write_arrow(paths.engagements, log.slice(2))
    with monkeypatch.context() as patched:
        patched.setattr(fitting.Fitting, "fitted", None)
        patched.setattr(shop_words, "item_texts", None)
        patched.setattr(shop_words, "item_codes", None)
        patched.setattr(picture_colours.PictureColours, "read", None)
        if settings:  # of an exact index no rows are kept
            patched.setattr(content_keys, "keys_of_rows", None)
        index.run(small_project)
    found, anew = content(small_project), made_anew(small_project)
    assert {name for name in found if found[name] != anew[name]} <= {"manifest.json"}


def test_items_that_are_other_ones_are_read_whatever_is_said_of_the_rest(small_project: Path):
    set_params(small_project, {"index.refit_frac": 0})
    index.run(small_project)
    paths = Paths(small_project)
    items = schema.read_table(paths.items, schema.ITEMS)
    items.loc[0, "title"] = "quux"  # its vectors, and all pictures, stay
    schema.write_table(paths.items, items, schema.ITEMS)
    index.run(small_project)
    found = content(small_project)
    assert "quux" in json.loads(found["words/vocab.index.json"])
    assert found == made_anew(small_project)


@pytest.mark.parametrize("kind", ["changed", "removed", "added", "moved"])
def test_rows_that_are_as_they_were_are_not_looked_at_again(
    small_project: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    set_params(small_project, APPROXIMATE)
    index.run(small_project)
    edit(small_project, kind)
    other = Path(shutil.copytree(small_project, tmp_path / "other"))
    read: list[int] = []

    def spy(items: Any, **options: Any) -> list[str]:
        read.append(len(items))
        return item_texts(items, **options)

    with monkeypatch.context() as patched:
        patched.setattr(fitting.Fitting, "fitted", None)
        patched.setattr(lists.Lists, "filled", without_vectors(lists.Lists.filled))
        patched.setattr(shop_words, "item_texts", spy)
        index.run(small_project)
    assert sum(read) <= 3
    with monkeypatch.context() as patched:  # where all are named, and Faiss writes what it holds
        patched.setattr(fitting.Fitting, "fitted", None)
        patched.setattr(Kept, "items", None)
        patched.setattr(row_file, "written", lambda *_: None)
        index.run(other)
    assert content(small_project) == content(other)
    if kind == "removed":  # its synthetic queries are still there, which fitting refuses
        return
    anew, found = made_anew(small_project), content(other)
    same = {name for name in anew if name.startswith("words/")} | {"items.parquet"}
    assert {name for name in same if found[name] != anew[name]} == set()


def without_vectors(filled: Any) -> Any:
    """Return what fills lists and refuses to take vectors with them."""

    def refuse(self: Any, vectors: Any, rows: Any = None) -> Any:
        assert vectors is None
        return filled(self, vectors, rows)

    return refuse


def test_dearer_settings_are_written_by_faiss(small_project: Path, monkeypatch: pytest.MonkeyPatch):
    set_params(small_project, APPROXIMATE)
    index.run(small_project)
    change(small_project, 3)
    other = Path(shutil.copytree(small_project, small_project.parent / "other"))
    found = []
    for root, file in ((small_project, row_file.written), (other, lambda *_: None)):
        recalls = iter([0.49, 0.51])
        with monkeypatch.context() as patched:
            patched.setattr(Yardstick, "recall", lambda *_, r=recalls: next(r))
            patched.setattr(row_file, "written", file)
            index.run(root)
        found.append(content(root))
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", ["empty", "other code", "no items", "without links"])
def test_without_a_use_for_what_was_kept_bytes_are_those_of_a_first_run(
    small_project: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    index.run(small_project)
    edit(small_project, "changed")
    folder = small_project / ".smar" / "index"
    if kind == "empty":
        shutil.rmtree(folder)
        folder.mkdir()
    elif kind == "no items":  # as an earlier version left it
        manifest = read_manifest(folder, kept.KIND)
        (folder / "items.parquet").unlink()
        del manifest.files["items.parquet"]
        write_manifest(folder, manifest)
    with monkeypatch.context() as patched:
        if kind == "other code":
            patched.setattr(kept, "how_read", lambda: "another")
        if kind == "without links":
            patched.setattr(kept, "linked", lambda *_: False)
        index.run(small_project)
    found, anew = content(small_project), made_anew(small_project)
    assert {name for name in found if found[name] != anew[name]} <= {"manifest.json"}


_KILLED = """
import os, signal, sys
from pathlib import Path
from smar.index import kept, row_file
from smar.stages import index
def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "file":
    row_file.RowFile.put = kill  # it is written, and has no name
else:
    kept.linked = kill  # the index is in its place, what is kept is not
index.run(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("moment", ["file", "kept"])
def test_killed_run_leaves_what_is_good_and_the_next_is_as_if_it_had_not_been(
    small_project: Path, tmp_path: Path, moment: str
):
    set_params(small_project, APPROXIMATE)
    index.run(small_project)
    before = content(small_project)
    edit(small_project, "changed")
    other = Path(shutil.copytree(small_project, tmp_path / "other"))
    index.run(other)
    command = [sys.executable, "-c", _KILLED, str(small_project), moment]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    HybridIndex.load(Paths(small_project).index)
    assert content(small_project) == (before if moment == "file" else content(other))
    index.run(small_project)
    assert content(small_project) == content(other)
    left = [path.name for path in Paths(small_project).data.glob(".index.*")]
    assert left == []


def test_trained_lists_stand_until_much_changed(
    small_project: Path, without_fitting: Callable[[], None]
):
    set_params(small_project, APPROXIMATE | {"index.refit_frac": 0.1})
    index.run(small_project)
    trained = centres(small_project)
    for rows, of_all in ((4, 4), (9, 13)):
        change(small_project, rows)
        index.run(small_project)
        assert (centres(small_project) == trained).all()
        told = outcome(small_project)["changed_since_fit"]
        assert of_all - 2 <= 150 * told <= of_all + 0.1  # two may be items that had changed
    assert outcome(small_project)["recall"] >= 0.5
    change(small_project, 16)
    index.run(small_project)
    assert (centres(small_project) != trained).any()
    assert outcome(small_project)["changed_since_fit"] == 0
    without_fitting()
    index.run(small_project)


def test_recall_of_few_changed_items_searches_none_of_the_others(
    small_project: Path, monkeypatch: pytest.MonkeyPatch
):
    set_params(small_project, APPROXIMATE | {"index.refit_frac": 0.1, "index.recall_at": 5})
    index.run(small_project)
    store = EmbeddingStore.load(Paths(small_project).embeddings)
    parts = {name: np.array(getattr(store, name)) for name in ("text", "image", "multimodal")}
    for part in parts.values():
        part[[3, 50]] = part[[50, 3]]  # two items are as the other one was
    parts["text"][7] = -parts["text"][7]
    write_store(
        Paths(small_project).embeddings, replace(store, **parts), Manifest(kind="embeddings")
    )
    asked: list[int] = []
    search = bests.exact_search

    def spy(queries: np.ndarray, items: np.ndarray, k: int) -> object:
        asked.append(len(queries))
        return search(queries, items, k)

    with monkeypatch.context() as patched:
        patched.setattr(bests, "exact_search", spy)
        index.run(small_project)
    assert sum(asked) <= 6  # items that changed are queries as well
    found = outcome(small_project)
    shutil.rmtree(small_project / ".smar" / "index" / "bests")
    manifest = small_project / ".smar" / "index" / "manifest.json"
    assert "bests/bounds.npy" in json.loads(manifest.read_text())["files"]
    index.run(small_project)  # damaged: all is fitted anew
    assert outcome(small_project)["changed_since_fit"] == 0 != found["changed_since_fit"]


def test_dearer_settings_are_taken_before_lists_are_trained_anew(
    small_project: Path, monkeypatch: pytest.MonkeyPatch
):
    set_params(small_project, APPROXIMATE)
    index.run(small_project)
    trained, recalls = centres(small_project), iter([0.49, 0.48, 0.51])
    first = HybridIndex.load(Paths(small_project).index).vectors
    settings = next(candidates(first.shards[0].vectors, Layout()))[2]
    third = settings[settings.index(first.details["settings"]) + 2]
    monkeypatch.setattr(Yardstick, "recall", lambda *_: next(recalls))
    index.run(small_project)
    details = HybridIndex.load(Paths(small_project).index).vectors.details
    assert (details["settings"], details["recall"]) == (third, 0.51)
    assert (centres(small_project) == trained).all()


def test_lists_that_find_too_little_are_trained_anew(
    small_project: Path, monkeypatch: pytest.MonkeyPatch
):
    set_params(small_project, APPROXIMATE)
    index.run(small_project)
    change(small_project, 3)
    monkeypatch.setattr(Yardstick, "recall", lambda *_: 0.49)
    index.run(small_project)
    assert outcome(small_project)["changed_since_fit"] == 0
    assert outcome(small_project)["recall"] >= 0.5


@pytest.mark.parametrize(
    "settings", [{"index.recall_at": 40}, {"seed": 8}, {"evaluate.relevant_grade": 1}]
)
def test_other_settings_fit_anew(
    small_project: Path, settings: dict[str, Any], without_fitting: Callable[[], None]
):
    set_params(small_project, settings)
    without_fitting()
    with pytest.raises(AssertionError, match="fitted anew"):
        index.run(small_project)


@pytest.mark.parametrize(
    "file",
    ["words/numbers.npy", "letters/counts.npy", "searched/starts.npy", "clicks/rows.npy",
     "rows-queries/hashes.npy", "vectors/codes.npy", "items.parquet", "typed.json"],
)  # fmt: skip
def test_damaged_files_are_not_used(
    small_project: Path, file: str, caplog: pytest.LogCaptureFixture
):
    set_params(small_project, APPROXIMATE)
    index.run(small_project)
    expected = content(small_project)
    damaged = small_project / ".smar" / "index" / file
    found = bytearray(damaged.read_bytes())
    found[len(found) // 2] ^= 1
    damaged.unlink()  # it may be a link to an input
    damaged.write_bytes(found)
    index.run(small_project)
    assert "made without what was kept" in caplog.text
    assert content(small_project) == expected


def edited(monkeypatch: pytest.MonkeyPatch, turned: float) -> None:
    """Act as if the code of towers were another, whose vectors of queries are turned by so much."""
    monkeypatch.setattr(kept, "how_encoded", lambda: f"other code {turned}")
    own = encode.encode_queries

    def encode_queries(model: Any, texts: list[str]) -> QueryEmbeddings:
        found = own(model, texts)
        vector = found.vector + turned * np.roll(found.vector, 1, axis=-1)
        return QueryEmbeddings(vector / np.linalg.norm(vector, axis=-1, keepdims=True), found.gate)

    monkeypatch.setattr(encode, "encode_queries", encode_queries)


@pytest.mark.parametrize("settings", [{}, APPROXIMATE], ids=["exact", "approximate"])
def test_towers_that_encode_queries_otherwise_fit_anew(
    small_project: Path,
    settings: dict[str, Any],
    without_fitting: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
):
    set_params(small_project, settings)
    index.run(small_project)
    with monkeypatch.context() as patched:
        edited(patched, 1e-2)
        without_fitting()
        with pytest.raises(AssertionError, match="fitted anew"):
            index.run(small_project)


def test_towers_that_encode_queries_alike_leave_what_was_fitted(
    small_project: Path, without_fitting: Callable[[], None], monkeypatch: pytest.MonkeyPatch
):
    set_params(small_project, APPROXIMATE)
    index.run(small_project)
    expected = content(small_project)
    without_fitting()
    with monkeypatch.context() as patched:
        edited(patched, 1e-7)
        index.run(small_project)
        assert content(small_project) == expected
        patched.setattr(encode, "encode_queries", None)  # asked once for the same code
        index.run(small_project)
    assert content(small_project) == expected
