"""Hybrid search against a slow oracle, files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from smar.artifacts import Manifest
from smar.errors import DataError
from smar.index.ann import gated_items, gated_queries
from smar.index.building import build_index
from smar.index.hybrid import HybridIndex, write_index
from smar.index.shard_files import index_directory
from smar.index.unseen import UnseenWords
from smar.index.words import WordIndex
from smar.models.embeddings import QueryEmbeddings
from smar.params import IndexParams
from tests.index.test_ann import unit

WORDS = ["red", "blue", "boot", "sandal", "women", "acme", "leather"]
QUERIES = ["red boot", "acme sandal", "zzz", "women"]
PARAMS = IndexParams(
    exact_below=50_000, recall_target=0.9, recall_at=10, sample_queries=50, word_share=0.0
)


def make(num_items: int, share: float) -> tuple[HybridIndex, NDArray[np.float32]]:
    """Return an index over random vectors and texts, and its item rows [N, 2 D]."""
    rng = np.random.default_rng(0)
    items = gated_items(*unit(rng, 2, num_items, 8))
    texts = [" ".join(rng.choice(WORDS, 3)) for _ in range(num_items)]
    ids = [f"i{row}" for row in range(num_items)]
    vectors = build_index(items, ids, PARAMS, lambda: items)
    return HybridIndex(vectors, WordIndex.build(texts), share), items


def encoded(*heads: int) -> QueryEmbeddings:
    rng = np.random.default_rng(1)
    return QueryEmbeddings(unit(rng, len(QUERIES), *heads, 8), rng.random(4, np.float32))


@pytest.mark.parametrize("heads", [(), (3,)])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_search_is_the_mixture_over_all_items(share: float, heads: tuple[int, ...]):
    index, items = make(60, share)
    queries = encoded(*heads)
    gated = gated_queries(queries.vector, queries.gate)
    similarity = np.einsum("q...d,nd->q...n", gated, items)
    if heads:
        similarity = similarity.max(1)
    words = np.stack([index.words.shares(text) for text in QUERIES])
    expected = (1 - share) * similarity + share * words
    scores, rows = index.search(QUERIES, queries, 10)
    assert (rows == np.argsort(-expected, axis=1, kind="stable")[:, :10]).all()
    assert np.allclose(scores, np.take_along_axis(expected, rows, 1), atol=1e-6)
    assert (np.abs(scores) <= 1).all()


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_search_for_more_than_there_is_finds_all_in_a_moment(share: float):
    index, _ = make(6, share)
    scores, rows = index.search(QUERIES, encoded(), 10**9)
    assert scores.shape == rows.shape == (len(QUERIES), 6)
    assert sorted(rows[0].tolist()) == list(range(6))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7, 0.95])
@pytest.mark.parametrize("heads", [(), (2,)])
def test_ranking_is_exact_where_many_items_hold_a_word(
    share: float, heads: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
):
    """With few candidates at first, what the words lift into the k best is looked for."""
    monkeypatch.setattr("smar.index.hybrid.DEPTH", 1)
    index, items = make(900, share)
    queries = encoded(*heads)
    gated = gated_queries(queries.vector, queries.gate)
    similarity = np.einsum("q...d,nd->q...n", gated, items).reshape(len(QUERIES), -1, 900).max(1)
    words = np.stack([index.words.shares(text) for text in QUERIES])
    expected = (1 - share) * similarity + share * words
    for k in (1, 4, 30):
        scores, _ = index.search(QUERIES, queries, k)
        best = -np.sort(-expected, axis=1)[:, :k]
        assert np.allclose(scores, best, atol=1e-6)


def test_only_items_that_can_still_win_are_scored_further():
    index, _ = make(900, 0.3)
    queries = encoded()
    gated = gated_queries(queries.vector, queries.gate)
    for found in index.candidates(QUERIES, gated, 5):
        least = found.best(0.3, 5)[0][-1]
        more, words = found._further(0.3, float(least))
        assert len(more) < 300
        assert not set(more) & set(found.rows)
        assert (0.7 * found.farthest + 0.3 * words >= least - 1e-5).all()


def test_item_is_found_by_its_words_where_its_vector_is_far():
    query = unit(np.random.default_rng(2), 1, 8)
    text = np.repeat(query, 2000, 0)
    text[7] = -query
    items = gated_items(text, text)
    ids = [str(row) for row in range(2000)]
    texts = ["boot"] * 7 + ["rtx 2060 card"] + ["boot"] * 1992
    index = HybridIndex(build_index(items, ids, PARAMS, lambda: items), WordIndex.build(texts), 0.8)
    of_query = QueryEmbeddings(query, np.zeros(1, np.float32))
    found = next(index.candidates(["rtx 2060"], gated_queries(query, of_query.gate), 5))
    assert 7 in found.rows
    assert 7 not in replace(index, word_share=0.0).search(["rtx 2060"], of_query, 5)[1]


@pytest.mark.parametrize("share", [0.0, 0.4])
@pytest.mark.parametrize("k", [0, -1, 2.0, True, "5", None])
def test_search_refuses_what_is_no_number_of_results(share: float, k: int):
    with pytest.raises(DataError, match=rf"k is {k!r}, expected a whole number of at least 1"):
        make(6, share)[0].search(QUERIES, encoded(), k)


def test_index_reloads_with_its_words_and_share(tmp_path: Path):
    index, _ = make(20, 0.4)
    write_index(tmp_path / "index", index, Manifest(kind="index", details={"model_sha": "x"}))
    again = HybridIndex.load(tmp_path / "index")
    assert again.item_ids == index.item_ids
    for mine, theirs in zip(
        again.search(QUERIES, encoded(), 5), index.search(QUERIES, encoded(), 5), strict=True
    ):
        assert (mine == theirs).all()


def test_an_index_that_was_loaded_and_changed_is_written_as_it_is_now(tmp_path: Path):
    index, _ = make(20, 0.4)
    unseen = UnseenWords.of(index.words, ["red boot"], 0.7)
    first = replace(index, unseen=unseen)
    write_index(tmp_path / "first", first, Manifest(kind="index", details={"model_sha": "x"}))
    loaded = HybridIndex.load(tmp_path / "first")
    assert (loaded.word_share, loaded.unseen is not None) == (0.4, True)
    other = replace(loaded, word_share=0.1, unseen=None)
    write_index(tmp_path / "other", other, Manifest(kind="index", details={"model_sha": "x"}))
    again = HybridIndex.load(tmp_path / "other")
    assert (again.word_share, again.unseen) == (0.1, None)


def test_index_of_before_there_were_words_is_one_of_vectors(tmp_path: Path):
    index, _ = make(20, 0.0)
    manifest = Manifest(kind="index", details={"model_sha": "x"})
    with index_directory(tmp_path / "index", index.vectors, manifest):
        pass
    again = HybridIndex.load(tmp_path / "index")
    assert (again.search(QUERIES, encoded(), 5)[1] == index.search(QUERIES, encoded(), 5)[1]).all()
