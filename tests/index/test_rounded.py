"""Rounded vectors first: the finds are those of whole vectors, whatever they are like."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from smar.index.allowed import Allowed
from smar.index.ann import gated_items, gated_queries
from smar.index.building import build_index
from smar.index.query_vectors import Found
from smar.index.rounded import RoundedRows
from tests.index.test_ann import ids, params, unit


def by_einsum(items: NDArray[np.float32]):
    """Return what scores rows so that a score does not depend on the others."""
    return lambda query, rows: np.array([np.float32(items[row] @ query) for row in rows])


def as_slow(
    items: NDArray[np.float32], queries: NDArray[np.float32], k: int, rows: NDArray[np.int64]
) -> Found:
    score = by_einsum(items)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    found = np.full((len(queries), k), -1, np.int64)
    for place, query in enumerate(queries):
        exact = score(query, rows)
        order = np.lexsort((rows, -exact))[:k]
        scores[place, : len(order)], found[place, : len(order)] = exact[order], rows[order]
    return scores, found


@given(
    seed=st.integers(0, 10_000),
    size=st.sampled_from([1, 5, 300]),
    length=st.sampled_from([1, 2, 48, 700]),
    scale=st.sampled_from([0.0, 1e-6, 1.0, 300.0]),
    levels=st.sampled_from([0, 1]),
    k=st.sampled_from([1, 7, 200]),
    is_filtered=st.booleans(),
)
def test_finds_are_those_of_all_whole_vectors(
    seed: int, size: int, length: int, scale: float, levels: int, k: int, is_filtered: bool
):
    rng = np.random.default_rng(seed)
    items = (scale * rng.normal(size=(size, length))).astype(np.float32)
    queries = rng.normal(size=(3, length)).astype(np.float32)
    queries[2] = 0
    if levels:  # many equal scores
        items, queries = np.sign(items), np.sign(queries)
    rows = np.flatnonzero(rng.random(size) < 0.4) if is_filtered else np.arange(size)
    found = RoundedRows(items, by_einsum(items)).search(queries, k, rows if is_filtered else None)
    for mine, theirs in zip(found, as_slow(items, queries, k, rows), strict=True):
        assert mine.tolist() == theirs.tolist()


def test_vectors_of_the_largest_numbers_do_not_overflow():
    """As many numbers of one sign as add up to the most that 32 bits hold."""
    items = np.ones((300, 4096), np.float32)
    items[7] *= 1.5
    rounded = RoundedRows(items, by_einsum(items))
    assert rounded.search(np.full((1, 4096), 2.0, np.float32), 1)[1].tolist() == [[7]]
    assert rounded.search(np.full((1, 4096), -2.0, np.float32), 2)[1].tolist() == [[0, 1]]


def test_few_whole_vectors_are_read():
    rng = np.random.default_rng(0)
    items = unit(rng, 5000, 64)
    read: list[int] = []

    def score(query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        read.append(len(rows))
        return by_einsum(items)(query, rows)

    RoundedRows(items, score).search(unit(rng, 4, 64), 20)
    assert all(20 <= number < 100 for number in read)
    assert len(read) == 4


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("heads", [(), (2,)])
def test_hastened_index_finds_the_same(is_large: bool, heads: tuple[int, ...]):
    rng = np.random.default_rng(0)
    items = gated_items(*unit(rng, 2, 900, 12))
    queries = gated_queries(unit(rng, 5, *heads, 12), rng.random(5, np.float32))
    of_one = queries.reshape(-1, 24)
    low = params(exact_below=100 if is_large else 1000, recall_target=0.1)
    index = build_index(items, ids(900), low, lambda: of_one)
    hastened = index.hastened()
    assert hastened.hastened() is hastened
    some = Allowed(rng.random(900) < 0.2)
    for allowed in (None, some):
        (scores, rows), (expected, of) = (
            one.search(queries, 30, allowed) for one in (hastened, index)
        )
        assert (rows == of).all()
        assert np.allclose(scores, expected, atol=1e-6)
