"""The vector index: the gate as one vector, exactness, recall, and what it refuses."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from smar.artifacts import Manifest
from smar.errors import ArtifactError, DataError
from smar.index.ann import VectorIndex, gated_items, gated_queries
from smar.index.building import build_index
from smar.index.exact import exact_search
from smar.index.shard_files import index_directory
from smar.index.yardstick import Yardstick
from smar.params import IndexParams


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    rows = rng.normal(size=shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def params(**changes: float) -> IndexParams:
    settings = {"exact_below": 50_000, "recall_target": 0.9, "recall_at": 10, "sample_queries": 50}
    return IndexParams(word_share=0.0, **settings | changes)


def refuse_sampling() -> np.ndarray:
    raise AssertionError("an exact index needs no sample")


def ids(number: int) -> list[str]:
    return [f"i{row}" for row in range(number)]


def test_gated_score_is_the_mixture_of_both_scores():
    rng = np.random.default_rng(0)
    text, both, query = unit(rng, 9, 8), unit(rng, 9, 8), unit(rng, 4, 8)
    gate = rng.random(4, np.float32)
    scores = gated_queries(query, gate) @ gated_items(text, both).T
    expected = (1 - gate)[:, None] * (query @ text.T) + gate[:, None] * (query @ both.T)
    assert np.allclose(scores, expected, atol=1e-6)
    assert (np.abs(scores) <= 1 + 1e-5).all()


@pytest.mark.parametrize(("gate", "part"), [(0.0, "text"), (1.0, "both")])
def test_gate_at_its_ends_is_the_papers_switch(gate: float, part: str):
    rng = np.random.default_rng(0)
    vectors = {"text": unit(rng, 9, 8), "both": unit(rng, 9, 8)}
    query = unit(rng, 4, 8)
    index = build_index(
        gated_items(vectors["text"], vectors["both"]), ids(9), params(), refuse_sampling
    )
    rows = index.search(gated_queries(query, np.full(4, gate, np.float32)), 9)[1]
    assert (rows == exact_search(query, vectors[part], 9)[1]).all()


def test_items_that_are_not_of_unit_norm_are_refused():
    right, wrong = np.eye(3, dtype=np.float32), np.diag([1, 2, 1]).astype(np.float32)
    with pytest.raises(ArtifactError, match=r"S_m: 1 of 3 rows are not of unit norm \(row 1: 2\)"):
        gated_items(right, wrong)
    with pytest.raises(ArtifactError, match=r"S_t: 1 of 3 rows are not of unit norm \(row 1: 2\)"):
        gated_items(wrong, right)


def test_items_in_a_file_without_a_name_are_those_in_memory(tmp_path: Path):
    parts = unit(np.random.default_rng(0), 2, 7, 4)
    np.testing.assert_array_equal(gated_items(*parts, tmp_path), gated_items(*parts))
    assert not [*tmp_path.iterdir()]


def test_items_of_one_score_come_in_the_order_of_their_rows():
    items = gated_items(*np.tile(np.eye(4, dtype=np.float32)[:1], (2, 6, 1)))
    index = build_index(items, ids(6), params(), refuse_sampling)
    assert index.search(items[:1] / 2, 4)[1].tolist() == [[0, 1, 2, 3]]


def test_small_index_is_exact_and_pads():
    items = gated_items(*unit(np.random.default_rng(0), 2, 5, 4))
    index = build_index(items, ids(5), params(), refuse_sampling)
    assert index.details["kind"] == "flat"
    scores, rows = index.search(items[:1] / 2, 8)
    assert rows[0, 0] == 0
    assert scores[0, 0] == pytest.approx(1)
    assert rows[0, 5:].tolist() == [-1, -1, -1]


def test_large_index_is_approximate_and_reaches_its_target():
    rng = np.random.default_rng(0)
    centres = unit(rng, 40, 16)
    near = centres[rng.integers(40, size=4000)] + 0.2 * rng.normal(size=(4000, 16))
    rows = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    items = gated_items(rows, np.roll(rows, 1, axis=1))
    queries = items[rng.choice(4000, 50, replace=False)] / 2
    index = build_index(items, ids(4000), params(exact_below=1000), lambda: queries)
    assert index.details["kind"] != "flat"
    yardstick = Yardstick.of(queries, items, 50, 10)
    recall = yardstick.recall(lambda asked: index.search(asked, 10)[1])
    assert recall >= 0.9
    assert index.details["recall"] == pytest.approx(recall, abs=0.02)


def test_index_falls_back_to_exact_when_the_target_is_out_of_reach():
    rng = np.random.default_rng(0)
    items = gated_items(*unit(rng, 2, 2000, 8))
    queries = rng.normal(size=(30, 16)).astype(np.float32)
    index = build_index(
        items, ids(2000), params(exact_below=100, recall_target=1.0), lambda: queries
    )
    assert index.details["recall"] == 1.0


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    items = gated_items(*unit(np.random.default_rng(0), 2, 5, 4))
    index = build_index(items, ids(5), params(), refuse_sampling)
    manifest = Manifest(kind="index", details={"model_sha": "x"})
    with index_directory(tmp_path / "index", index, manifest):
        return tmp_path / "index"


def test_index_reloads_to_the_same_results(saved: Path):
    query = unit(np.random.default_rng(1), 3, 8)
    index = VectorIndex.load(saved)
    items = gated_items(*unit(np.random.default_rng(0), 2, 5, 4))
    assert (index.search(query, 5)[1] == exact_search(query, items, 5)[1]).all()
    assert index.item_ids == ids(5)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="tells maps on Linux alone")
def test_loaded_vectors_are_mapped_and_cannot_be_written(saved: Path):
    index = VectorIndex.load(saved)
    assert str(saved / "index.faiss") in Path("/proc/self/maps").read_text()
    with pytest.raises(ValueError, match="read-only"):
        index.shards[0].vectors[0, 0] = 1


def test_index_of_another_metric_is_refused(saved: Path, reseal: Callable[[Path], None]):
    import faiss

    other = faiss.IndexFlatL2(8)
    other.add(np.zeros((5, 8), np.float32))
    faiss.write_index(other, str(saved / "index.faiss"))
    reseal(saved)
    with pytest.raises(ArtifactError, match=r"\(metric, length, items\) is \(1, 8, 5\)"):
        VectorIndex.load(saved)


def test_truncated_index_is_refused(saved: Path):
    file = saved / "index.faiss"
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(ArtifactError, match=r"index\.faiss is \d+ bytes"):
        VectorIndex.load(saved)


def test_search_refuses_k_below_one(saved: Path):
    with pytest.raises(DataError, match="expected k >= 1"):
        VectorIndex.load(saved).search(np.zeros((1, 8), np.float32), 0)


def test_index_of_a_handful_of_items_may_be_approximate():
    rng = np.random.default_rng(0)
    items = gated_items(*unit(rng, 2, 10, 8))
    params = IndexParams(
        exact_below=0, recall_target=0.9, recall_at=50, sample_queries=5, word_share=0.0
    )
    index = build_index(items, [str(row) for row in range(10)], params, lambda: items[:5])
    assert index.details["kind"] == "HNSW32,Flat"
    assert (index.search(items, 3)[1][:, 0] == np.arange(10)).all()


@pytest.mark.parametrize("is_large", [False, True])
def test_scores_said_to_be_exact_are_those_of_single_rows(is_large: bool):
    rng = np.random.default_rng(0)
    items = gated_items(*unit(rng, 2, 600, 24))
    queries = gated_queries(unit(rng, 40, 24), rng.random(40, np.float32))
    low = params(exact_below=100 if is_large else 1000, recall_target=0.1)
    index = build_index(items, ids(600), low, lambda: queries)
    assert index.shards[0].is_flat is not is_large
    scores, rows = index.search(queries, 30)
    for query, told, each in zip(queries, scores, rows, strict=True):
        of_query, found = told[each >= 0], each[each >= 0]
        alone = index.similarities(query, found)
        assert np.allclose(alone, items[found] @ query, atol=1e-6)
        assert (index.similarities(query, found[7:9]) == alone[7:9]).all()
        assert not len(index.similarities(query, found[:0]))
        assert (alone == of_query).all()
