"""Exact search that remembers: what it finds is what a search of all items finds."""

import numpy as np
import pytest
from numpy.typing import NDArray

from smar.content_keys import keys_of_rows
from smar.index import bests as module
from smar.index.bests import Bests, ExactSearch
from smar.index.exact import exact_search


def unit(rng: np.random.Generator, rows: int) -> NDArray[np.float32]:
    drawn = rng.standard_normal((rows, 8)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def searched(
    vectors: NDArray[np.float32],
    queries: NDArray[np.float32],
    earlier: Bests | None = None,
    before: NDArray[np.uint64] | None = None,
) -> tuple[NDArray[np.int64], Bests | None]:
    exact = ExactSearch(vectors, keys_of_rows(vectors), earlier, before)
    return exact.rows(queries, 5), exact.bests


def assert_best(
    found: NDArray[np.int64], queries: NDArray[np.float32], vectors: NDArray[np.float32]
) -> None:
    """Copies of an item may stand in another order: a product's last bit depends on its place."""
    scores, rows = exact_search(queries, vectors, 5)
    own = np.einsum("qkd,qd->qk", vectors[found], queries)
    assert np.allclose(own, scores, atol=1e-6)
    assert all(len(set(each)) == 5 for each in found.tolist())
    is_other = (found != rows) & ~(vectors[found] == vectors[rows]).all(axis=2)
    assert not is_other.any(), "another item stands where no copy of it does"


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return what grows by the number of queries that are searched among all items."""
    seen: list[int] = []

    def spy(queries: NDArray[np.float32], items: NDArray[np.float32], k: int) -> object:
        seen.append(len(queries))
        return exact_search(queries, items, k)

    monkeypatch.setattr(module, "exact_search", spy)
    return seen


@pytest.mark.parametrize("seed", range(12))
def test_any_changes_find_what_a_search_of_all_finds(seed: int, whole: list[int]):
    rng = np.random.default_rng(seed)
    vectors, queries = unit(rng, 400), unit(rng, 30)
    vectors[50:60] = vectors[0]  # copies of one item
    found, kept = searched(vectors, queries)
    before = keys_of_rows(vectors)
    for _ in range(4):
        size = int(rng.integers(0, 40))
        vectors[rng.choice(len(vectors), size, replace=False)] = unit(rng, size)
        vectors = np.concatenate([vectors, unit(rng, 3), vectors[:2]])
        vectors = vectors[rng.permutation(len(vectors))[int(rng.integers(0, 9)) :]]
        queries = np.concatenate([queries[1:], unit(rng, 1)])
        whole.clear()
        found, kept = searched(vectors, queries, kept, before)
        assert_best(found, queries, vectors)
        assert 1 <= sum(whole) < 15  # the new query, and the few whose best ones went
        before = keys_of_rows(vectors)


def test_query_whose_best_items_are_gone_is_searched_among_all(whole: list[int]):
    rng = np.random.default_rng(3)
    vectors, queries = unit(rng, 300), unit(rng, 2)
    _, kept = searched(vectors, queries)
    best = exact_search(queries[:1], vectors, 16)[1][0]
    left = np.delete(vectors, best, axis=0)
    whole.clear()
    found, _ = searched(left, queries, kept, keys_of_rows(vectors))
    assert_best(found, queries, left)
    assert whole == [1]


def test_many_new_items_are_a_search_of_all(whole: list[int]):
    rng = np.random.default_rng(4)
    vectors, queries = unit(rng, 100), unit(rng, 3)
    _, kept = searched(vectors, queries)
    before = keys_of_rows(vectors)
    vectors[:40] = unit(rng, 40)
    whole.clear()
    found, _ = searched(vectors, queries, kept, before)
    assert_best(found, queries, vectors)
    assert whole == [3]


@pytest.mark.parametrize("old", [0, 1, 3, 4, 5, 9])
@pytest.mark.parametrize("new", [0, 1, 2, 5, 40])
def test_bound_of_the_best_is_above_none_of_them(old: int, new: int):
    rng = np.random.default_rng([old, new])
    for shift in (-9.0, 0.0, 9.0):  # old ones below the new ones, among them, above them
        ours = rng.normal(size=old).astype(np.float32) + np.float32(shift)
        theirs = rng.normal(size=new).astype(np.float32)
        best = np.sort(np.concatenate([ours, theirs]))[::-1][:5]
        least = module._least_of_best(ours, theirs, 5)
        assert least <= best[-1] if len(best) == 5 else least == -np.inf
        if old < 5 <= old + new and shift > 0:  # old ones, and the best new ones after them
            assert least == best[-1]
