"""Compact vectors: the gate survives the cut, what is found has whole scores, files come back."""

from pathlib import Path

import faiss
import numpy as np
import pytest

from smar.artifacts import Manifest
from smar.errors import ArtifactError, DataError
from smar.index import ann
from smar.index.allowed import Allowed
from smar.index.ann import VectorIndex, gated_items, gated_queries
from smar.index.building import build_index
from smar.index.compact import bytes_of, compact_candidates, cut_halves
from smar.index.exact import exact_search
from smar.index.layout import Layout
from smar.index.shard_files import index_directory
from smar.params import IndexParams

N, D = 1500, 16
KINDS = [("float32", 8), ("int8", 0), ("int8", 8), ("binary", 0), ("binary", 8)]


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def shop() -> tuple[np.ndarray, np.ndarray]:
    """Items and gated queries whose first numbers say most, as Matryoshka vectors do."""
    rng = np.random.default_rng(0)
    scale = 0.8 ** np.arange(D)
    text, both = (unit(rng.normal(size=(N, D)) * scale) for _ in range(2))
    wanted = text[:40] + both[:40]
    query = unit(wanted + 0.1 * rng.normal(size=wanted.shape) * scale)
    return gated_items(text, both), gated_queries(query, rng.random(40, np.float32))


def params(storage: str, dim: int, **changes: float) -> IndexParams:
    settings = {"recall_target": 0.9, "recall_at": 10, "sample_queries": 50, "word_share": 0.0}
    return IndexParams(storage=storage, dim=dim, **settings | changes)


def built(
    shop: tuple[np.ndarray, np.ndarray], storage: str, dim: int, **changes: float
) -> VectorIndex:
    items, queries = shop
    ids = [f"i{row}" for row in range(len(items))]
    return build_index(items, ids, params(storage, dim, **changes), lambda: queries)


def test_cut_score_is_the_mixture_of_the_cosines_of_the_first_numbers():
    rng = np.random.default_rng(1)
    text, both, query = (unit(rng.normal(size=(n, 6))) for n in (5, 5, 3))
    gate = np.array([0.0, 0.3, 1.0], np.float32)
    cut = cut_halves(gated_queries(query, gate), 4) @ cut_halves(gated_items(text, both), 4).T
    first = [unit(rows[:, :4]) for rows in (query, text, both)]
    expected = (1 - gate)[:, None] * (first[0] @ first[1].T) + gate[:, None] * (
        first[0] @ first[2].T
    )
    assert np.allclose(cut, expected, atol=1e-6)


def test_cut_items_have_one_norm_and_what_is_not_cut_is_the_same():
    rows = gated_items(*(unit(np.random.default_rng(s).normal(size=(4, 6))) for s in (0, 1)))
    assert np.allclose(np.linalg.norm(cut_halves(rows, 2), axis=1), 2**0.5)
    assert cut_halves(rows, 0) is rows
    assert np.allclose(cut_halves(rows, 6), rows, atol=1e-6)


@pytest.mark.parametrize(("storage", "dim"), KINDS)
@pytest.mark.parametrize("exact_below", [50_000, 1000])
def test_finds_have_the_scores_of_whole_vectors(
    shop: tuple[np.ndarray, np.ndarray], storage: str, dim: int, exact_below: int
):
    items, queries = shop
    index = built(shop, storage, dim, exact_below=exact_below)
    assert ("IVF" in index.details["kind"]) is (exact_below == 1000)
    scores, rows = index.search(queries, 10)
    true_scores, true_rows = exact_search(queries, items, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows, true_rows, strict=True)])
    assert recall >= 0.9
    assert index.details["recall"] == pytest.approx(recall)
    found = np.take_along_axis(queries @ items.T, rows, 1)
    assert np.allclose(scores, found, atol=1e-6)
    assert (np.diff(scores, axis=1) <= 0).all()
    assert np.allclose(index.similarities(queries[0], rows[0]), scores[0], atol=1e-6)
    same = rows[:, 0] == true_rows[:, 0]
    assert np.allclose(scores[same, 0], true_scores[same, 0], atol=1e-6)


@pytest.mark.parametrize(("storage", "dim"), KINDS)
def test_files_come_back_and_whole_vectors_are_mapped(
    shop: tuple[np.ndarray, np.ndarray], tmp_path: Path, storage: str, dim: int
):
    index = built(shop, storage, dim)
    with index_directory(tmp_path / "index", index, Manifest(kind="index")):
        pass
    again = VectorIndex.load(tmp_path / "index")
    for first, second in zip(index.search(shop[1], 7), again.search(shop[1], 7), strict=True):
        assert np.array_equal(first, second)
    assert np.array_equal(again.shards[0].vectors, shop[0])
    assert again.item_ids == index.item_ids
    mapped = Path("/proc/self/maps").read_text()
    assert str(tmp_path / "index/whole.faiss") in mapped


@pytest.mark.parametrize(("storage", "dim"), KINDS)
@pytest.mark.parametrize("most_exact", [50_000, 10])
@pytest.mark.parametrize("exact_below", [50_000, 1000])
def test_filters_leave_the_ranking_of_what_is_allowed(
    shop: tuple[np.ndarray, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    storage: str,
    dim: int,
    most_exact: int,
    exact_below: int,
):
    monkeypatch.setattr(ann, "_EXACT_ROWS", most_exact)
    items, queries = shop
    index = built(shop, storage, dim, exact_below=exact_below)
    mask = np.arange(N) % 3 == 0
    rows = index.search(queries, 5, Allowed(mask))[1]
    assert mask[rows].all()
    truth = np.flatnonzero(mask)[exact_search(queries, items[mask], 5)[1]]
    recall = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(rows, truth, strict=True)])
    assert recall == 1.0 if most_exact == 50_000 else recall >= 0.9
    few = Allowed(np.arange(N) < 3)
    assert set(index.search(queries[:1], 5, few)[1][0].tolist()) == {0, 1, 2, -1}


@pytest.mark.parametrize("gate", [0.0, 1.0])
def test_signs_of_items_keep_the_gate_of_the_query(gate: float):
    """At its ends the gate picks text or picture; signs of queries would be the same for both."""
    rng = np.random.default_rng(3)
    text, both = (unit(rng.normal(size=(N, 64))) for _ in range(2))
    items = gated_items(text, both)
    queries = gated_queries(unit(text[:30] + both[30:60]), np.full(30, gate, np.float32))
    _, build, _ = next(compact_candidates(items, "binary", Layout(), is_exhaustive=True))
    first = build().indexes[0].search(queries, 1)[1][:, 0]
    assert np.array_equal(first, np.arange(30) + (30 if gate else 0))


def test_sizes_are_what_the_storage_says(shop: tuple[np.ndarray, np.ndarray]):
    numbers = 2 * D * N
    size = {f"{s}{d}": bytes_of(built(shop, s, d).shards[0].index) for s, d in KINDS}
    assert size["float328"] == pytest.approx(4 * numbers / 2, rel=0.01)
    assert size["int80"] == pytest.approx(numbers, rel=0.02)
    assert size["binary0"] == pytest.approx(numbers / 8 + 8 * N, rel=0.02)
    assert size["binary8"] < size["binary0"] < size["int88"] < size["int80"]


def test_more_finds_are_scored_where_the_target_takes_more(shop: tuple[np.ndarray, np.ndarray]):
    low, high = (built(shop, "binary", 8, recall_target=target) for target in (0.5, 1.0))
    assert low.details["settings"]["rescored"] == 200
    assert high.details["settings"]["rescored"] > 200
    assert high.details["recall"] > low.details["recall"]


def test_a_target_out_of_reach_is_told():
    rng = np.random.default_rng(0)
    items = gated_items(*(unit(rng.normal(size=(9000, 64))) for _ in range(2)))
    queries = rng.normal(size=(20, 128)).astype(np.float32)
    settings = params("binary", 2, recall_target=1.0)
    index = build_index(items, [str(row) for row in range(9000)], settings, lambda: queries)
    assert index.details["recall"] < 1.0
    assert index.details["reason"] == "asked for; does not reach recall@10 1.0"


def test_queries_of_several_vectors_take_the_best_of_each(shop: tuple[np.ndarray, np.ndarray]):
    items, queries = shop
    index = built(shop, "int8", 8)
    scores, rows = index.search(queries.reshape(20, 2, -1), 6)
    best = (queries @ items.T).reshape(20, 2, -1).max(1)
    assert np.allclose(scores, np.take_along_axis(best, rows, 1), atol=1e-6)


def test_whole_vectors_of_another_index_are_refused(
    shop: tuple[np.ndarray, np.ndarray], tmp_path: Path
):
    manifest = Manifest(kind="index")
    with index_directory(tmp_path / "index", built(shop, "int8", 0), manifest) as folder:
        other = faiss.IndexFlatIP(2 * D)
        other.add(shop[0][:7])
        faiss.write_index(other, str(folder / "whole.faiss"))
    with pytest.raises(ArtifactError, match=r"whole.faiss: .* is \(0, 32, 7\), expected"):
        VectorIndex.load(tmp_path / "index")
    with pytest.raises(DataError, match="vectors of length 16; expected k >= 1 and 32"):
        built(shop, "float32", 8).search(shop[1][:, :16], 3)


def test_an_index_of_whole_vectors_has_nothing_further(
    shop: tuple[np.ndarray, np.ndarray], tmp_path: Path
):
    manifest = Manifest(kind="index")
    with index_directory(tmp_path / "index", built(shop, "float32", 0), manifest) as folder:
        names = {path.name for path in folder.iterdir()}
    assert "whole.faiss" not in names
    assert "compact" not in manifest.details
