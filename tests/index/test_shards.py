"""An index in shards finds what one of all items finds, and is whole or refused."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from shutil import copyfile

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smar.artifacts import Manifest
from smar.data import schema
from smar.errors import ArtifactError
from smar.index import ann
from smar.index.allowed import Allowed
from smar.index.ann import VectorIndex, gated_items, gated_queries
from smar.index.building import build_index
from smar.index.layout import Layout
from smar.index.shard_files import index_directory
from smar.params import IndexParams

N, D = 3000, 16
IDS = [f"item-{row}" for row in range(N)]
# storage, dim and exact_below; inverted lists where exact_below is small
KINDS = [
    ("float32", 0, 50_000),
    ("float32", 0, 1000),
    *[
        (storage, dim, below)
        for storage, dim in (("float32", 8), ("int8", 0), ("int8", 8), ("binary", 0), ("binary", 8))
        for below in (50_000, 1000)
    ],
]


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


@cache
def shop() -> tuple[np.ndarray, np.ndarray]:
    """Items of which many are the same, and gated queries."""
    rng = np.random.default_rng(0)
    text, both = (unit(rng.normal(size=(N, D)) * 0.8 ** np.arange(D)) for _ in range(2))
    same = rng.choice(N, 1200, replace=False)
    text[same], both[same] = text[same % 9], both[same % 9]
    query = unit(text[:50] + both[:50] + 0.3 * rng.normal(size=(50, D)))
    return gated_items(text, both), gated_queries(query, rng.random(50, np.float32))


@cache
def built(kind: tuple[str, int, int], count: int, *, seed: int = 0) -> VectorIndex:
    return build_of(kind, count, seed=seed)


def build_of(kind: tuple[str, int, int], count: int, *, seed: int = 0) -> VectorIndex:
    items, queries = shop()
    if seed:
        items = gated_items(*np.roll(items.reshape(N, 2, D), seed, axis=2).transpose(1, 0, 2))
    storage, dim, below = kind
    params = IndexParams(storage=storage, dim=dim, exact_below=below, recall_target=0.8,
                         recall_at=10, sample_queries=50, word_share=0.0)  # fmt: skip
    return build_index(items, IDS, params, lambda: queries, Layout.of(IDS, count))


def same(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> bool:
    return all(np.array_equal(*each) for each in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most_exact", [50_000, 10])
def test_shards_find_what_one_index_finds(
    monkeypatch: pytest.MonkeyPatch, kind: tuple[str, int, int], most_exact: int
):
    """Rows and scores, bit for bit, whatever the depth, the filter, the batch and the number."""
    monkeypatch.setattr(ann, "_EXACT_ROWS", most_exact)
    single, queries = built(kind, 1), shop()[1]
    rng = np.random.default_rng(1)
    filters = [
        None,
        Allowed(rng.random(N) < 0.3),
        Allowed(np.arange(N) < 4),
        Allowed(np.zeros(N, bool)),
    ]
    for count in (2, 5):
        shards = built(kind, count)
        assert len(shards.shards) == count
        assert shards.details == single.details
        for allowed in filters:
            for k in (1, 10, 300):
                for some in (queries, queries[:1], queries.reshape(25, 2, -1)[:3]):
                    found = [one.search(some, k, allowed) for one in (single, shards)]
                    assert same(*found), (count, k, len(some))
        hastened = [one.hastened().search(queries, 40, filters[1]) for one in (single, shards)]
        assert same(*hastened)


@given(
    seed=st.integers(0, 10_000),
    size=st.sampled_from([1, 40, 700]),
    levels=st.sampled_from([1, 2, 1000]),
    count=st.sampled_from([2, 3, 8]),
    is_large=st.booleans(),
)
def test_any_items_are_found_as_by_one_index(
    seed: int, size: int, levels: int, count: int, *, is_large: bool
):
    """Also where most items are the same, and where shards have no item."""
    rng = np.random.default_rng(seed)
    drawn = unit(rng.normal(size=(min(levels, size), 2, 8)))[
        rng.integers(min(levels, size), size=size)
    ]
    items, ids = gated_items(drawn[:, 0].copy(), drawn[:, 1].copy()), IDS[:size]
    queries = gated_queries(unit(rng.normal(size=(21, 8))), rng.random(21, np.float32))
    params = IndexParams(exact_below=0 if is_large else 1000, recall_target=0.01, recall_at=5,
                         sample_queries=5, word_share=0.0)  # fmt: skip
    layouts = (Layout.of(ids, number) for number in (1, count))
    single, shards = (build_index(items, ids, params, lambda: queries, one) for one in layouts)
    if "HNSW" in single.details["kind"]:  # is never one of shards
        assert shards.details["kind"] == "flat"
        return
    found = single.search(queries, 30)
    assert same(found, shards.search(queries, 30))
    assert same(found[:1], (np.stack([single.similarities(q, r) if (r >= 0).all() else s
                for q, s, r in zip(queries, *found, strict=True)]),))  # fmt: skip
    if not is_large:
        exact = np.stack([single.similarities(query, slice(None)) for query in queries])
        order = np.lexsort((np.tile(np.arange(size), (21, 1)), -exact), axis=1)[:, :30]
        assert found[1][:, : order.shape[1]].tolist() == order.tolist()


def test_shards_share_their_centres_and_are_restrictions_of_one_index():
    single, shards = built(KINDS[1], 1), built(KINDS[1], 3)
    whole = faiss.extract_index_ivf(single.shards[0].first)
    for shard in shards.shards:
        own = faiss.extract_index_ivf(shard.first)
        centres = [one.quantizer.reconstruct_n(0, one.nlist) for one in (whole, own)]
        assert np.array_equal(*centres)
        for number in range(own.nlist):
            of_whole, of_own = rows_in(whole, number), shard.rows[rows_in(own, number)]
            assert of_own.tolist() == of_whole[np.isin(of_whole, shard.rows)].tolist()


def rows_in(index: faiss.IndexIVF, number: int) -> np.ndarray:
    """Return what one of its lists has, in its order."""
    size = index.invlists.list_size(number)
    if not size:
        return np.empty(0, np.int64)
    return faiss.rev_swig_ptr(index.invlists.get_ids(number), size).copy()


@pytest.mark.parametrize("count", [1, 4])
def test_a_search_of_few_items_looks_the_further(monkeypatch: pytest.MonkeyPatch, count: int):
    """One in twenty is allowed: with four lists of about twelve items there would be two of ten."""
    monkeypatch.setattr(ann, "_EXACT_ROWS", 10)
    index = build_of(KINDS[1], count)
    index.set({"nprobe": 4, "refined": 200})
    allowed = Allowed(np.random.default_rng(3).random(N) < 0.05)
    rows = index.search(shop()[1], 10, allowed)[1]
    assert (rows >= 0).mean() > 0.9


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch):
    single, shards, queries = built(KINDS[1], 1), built(KINDS[1], 5), shop()[1]
    monkeypatch.setattr(faiss, "omp_get_max_threads", lambda: 4)
    assert same(single.search(queries, 50), shards.search(queries, 50))


def test_scores_and_vectors_of_items_are_those_of_one_index():
    items, queries = shop()
    single, shards = built(KINDS[1], 1), built(KINDS[1], 4)
    rows = np.random.default_rng(2).choice(N, 70)
    assert np.array_equal(shards.gathered(rows), items[rows])
    assert np.array_equal(
        shards.similarities(queries[0], rows), single.similarities(queries[0], rows)
    )
    assert len(shards.similarities(queries[0], slice(None))) == N
    assert not len(shards.similarities(queries[0], rows[:0]))


def test_an_item_lies_where_its_id_says():
    before = Layout.of(IDS, 4)
    sizes = [len(rows) for rows in before.rows]
    assert min(sizes) > 0.85 * N / 4
    kept = [item for row, item in enumerate(IDS) if row % 7]
    after = Layout.of(["new", *reversed(kept)], 4)
    shard_of = dict(zip(IDS, before.numbers, strict=True))
    assert [shard_of[item] for item in reversed(kept)] == after.numbers[1:].tolist()
    assert [after.rows[n][p] for n, p in zip(after.numbers, after.places, strict=True)] == list(
        range(len(kept) + 1)
    )
    assert Layout.of(IDS, 1).rows == [None]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    manifest = Manifest(kind="index")
    with index_directory(tmp_path / "index", built(KINDS[1], 3), manifest):
        return tmp_path / "index"


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[1], KINDS[5]])
def test_shards_come_back_from_their_files(tmp_path: Path, kind: tuple[str, int, int]):
    index, queries = built(kind, 3), shop()[1]
    with index_directory(tmp_path / "index", index, Manifest(kind="index")):
        pass
    again = VectorIndex.load(tmp_path / "index")
    assert same(again.search(queries, 20), index.search(queries, 20))
    assert again.details["shards"] == {
        f"index-{number}.faiss": len(shard) for number, shard in enumerate(index.shards)
    }
    if kind == KINDS[1]:
        assert str(tmp_path / "index/index-2.faiss") in Path("/proc/self/maps").read_text()
    with index_directory(tmp_path / "again", again, Manifest(kind="index")):
        pass
    for file in (tmp_path / "index").glob("*.faiss"):
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_one_shard_is_one_file_and_says_nothing_of_shards(tmp_path: Path):
    manifest = Manifest(kind="index")
    with index_directory(tmp_path / "index", built(KINDS[1], 1), manifest):
        pass
    names = {file.name for file in (tmp_path / "index").iterdir()}
    assert names == {"index.faiss", "items.parquet", "manifest.json"}
    assert "shards" not in manifest.details
    assert schema.read_arrow(tmp_path / "index/items.parquet").column_names == ["item_id"]


def test_a_missing_shard_is_an_error_that_names_it(saved: Path):
    (saved / "index-1.faiss").unlink()
    with pytest.raises(ArtifactError, match=r"index-1\.faiss is missing, expected \d+ bytes"):
        VectorIndex.load(saved)


def test_a_truncated_shard_is_an_error_that_names_it(saved: Path):
    content = (saved / "index-2.faiss").read_bytes()
    (saved / "index-2.faiss").write_bytes(content[:-1])
    with pytest.raises(ArtifactError, match=rf"index-2\.faiss is {len(content) - 1} bytes"):
        VectorIndex.load(saved)


def test_a_shard_of_another_build_is_refused(
    saved: Path, tmp_path: Path, reseal: Callable[[Path], None]
):
    with index_directory(tmp_path / "other", built(KINDS[1], 3, seed=1), Manifest(kind="index")):
        pass
    copyfile(tmp_path / "other/index-1.faiss", saved / "index-1.faiss")
    with pytest.raises(ArtifactError, match=r"index-1\.faiss is (not what was|\d+ bytes)"):
        VectorIndex.load(saved)
    reseal(saved)  # as if it had been written so
    with pytest.raises(ArtifactError, match=r"(?s)different builds.*index-1\.faiss is a"):
        VectorIndex.load(saved)


def test_a_shard_in_the_place_of_another_is_refused(saved: Path, reseal: Callable[[Path], None]):
    copyfile(saved / "index-1.faiss", saved / "index-0.faiss")
    reseal(saved)
    with pytest.raises(ArtifactError, match=r"index-0\.faiss: \(metric, length, items\) is"):
        VectorIndex.load(saved)
