"""Settings of approximate indexes: cheap ones first, and the same finds at every depth."""

import faiss
import numpy as np
import pytest

from smar.index import settings
from smar.index.allowed import Allowed
from smar.index.ann import VectorIndex
from smar.index.building import build_index
from smar.index.layout import Layout
from smar.index.settings import apply, candidates
from smar.params import IndexParams


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 16))[rng.integers(60, size=3000)] + rng.normal(size=(3000, 16))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def index(vectors: np.ndarray) -> VectorIndex:
    _, build, settings_ = next(candidates(vectors, Layout()))
    setting = next(one for one in settings_ if one == {"nprobe": 64, "refined": 400})
    found = VectorIndex.of(build().indexes[0], [str(row) for row in range(len(vectors))])
    found.set(setting)
    return found


def test_settings_come_by_what_they_cost(vectors: np.ndarray):
    found = next(candidates(vectors, Layout()))[2]
    place = {(one["nprobe"], one["refined"]): number for number, one in enumerate(found)}
    assert len(place) == len(found)
    for (nprobe, refined), number in place.items():
        for dearer in ((2 * nprobe, refined), (nprobe, 2 * refined)):
            assert place.get(dearer, len(found)) > number


@pytest.mark.parametrize("narrow", [False, True])
def test_shallow_search_finds_what_a_deep_one_finds_first(
    index: VectorIndex, vectors: np.ndarray, *, narrow: bool
):
    allowed = Allowed(np.arange(3000) % 3 > 0) if narrow else None
    queries = vectors[:40] + np.random.default_rng(1).normal(0, 0.5, (40, 16)).astype(np.float32)
    deep = index.search(queries, 200, allowed)[1]
    for depth in (1, 10, 50):
        assert np.array_equal(index.search(queries, depth, allowed)[1], deep[:, :depth])


def test_index_of_before_is_searched_as_it_was_set(index: VectorIndex, vectors: np.ndarray):
    before = faiss.clone_index(index.shards[0].index)
    apply(before, {"nprobe": 4, "k_factor": 3})
    older = VectorIndex.of(before, index.item_ids, {"settings": {"nprobe": 4, "k_factor": 3}})
    assert faiss.downcast_index(before).k_factor == 3
    expected = before.search(vectors[:9], 10)[1]
    assert np.array_equal(np.sort(older.search(vectors[:9], 10)[1]), np.sort(expected))


def test_first_setting_that_reaches_the_target_is_the_cheapest(
    vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch
):
    tried: list[dict[str, int]] = []
    monkeypatch.setattr(
        "smar.index.ann.apply",
        lambda built, one: (tried.append(one), settings.apply(built, one)),
    )
    params = IndexParams(
        exact_below=100, recall_target=0.95, recall_at=10, sample_queries=50, word_share=0.0
    )
    ids = [str(row) for row in range(3000)]
    built = build_index(vectors, ids, params, lambda: vectors[:50] / 2)
    assert built.details["settings"] == tried[-1]
    assert tried == next(candidates(vectors, Layout()))[2][: len(tried)]
    assert built.details["recall"] >= 0.95
