"""Filters that leave out all that is near a query: there are finds, and those of each by itself."""

import faiss
import numpy as np
import pytest

from smar.index import ann
from smar.index.allowed import Allowed
from smar.index.ann import VectorIndex

N, D, KINDS = 6000, 16, 48


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> tuple[VectorIndex, np.ndarray, np.ndarray]:
    """Return an index that looks at few of its lists, its items and the kind of each."""
    monkeypatch.setattr(ann, "_EXACT_ROWS", 10)
    rng = np.random.default_rng(1)
    centres, kind = rng.normal(size=(KINDS, D)), rng.integers(KINDS, size=N)
    items = (centres[kind] + 0.2 * rng.normal(size=(N, D))).astype(np.float32)
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    found = faiss.index_factory(D, "IVF64,PQ8x4fs,RFlat", faiss.METRIC_INNER_PRODUCT)
    found.train(items)
    found.add(items)
    index = VectorIndex.of(found, [str(row) for row in range(N)], {})
    index.set({"nprobe": 1, "refined": 100})
    return index, items, kind


def far(items: np.ndarray, kind: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Return which items are of the half of all kinds that is least like a query."""
    likeness = [(items[kind == each] @ query).mean() for each in range(KINDS)]
    return np.isin(kind, np.argsort(likeness)[: KINDS // 2])


def test_of_what_is_far_as_much_is_found_as_is_wanted(lists):
    index, items, kind = lists
    right = []
    for query in items[:40]:
        mask = far(items, kind, query)
        scores, rows = index.search(query[None], 50, Allowed(mask))
        assert mask[rows[0]].all()  # none of them is -1
        assert np.allclose(scores[0], items[rows[0]] @ query, atol=1e-5)
        best = np.flatnonzero(mask)[np.argsort(-(items[mask] @ query))[:10]]
        right.append(len({*rows[0].tolist()} & {*best.tolist()}) / 10)
    assert np.mean(right) > 0.5  # of all lists; what codes leave of it


def test_queries_together_find_what_each_finds_by_itself(lists):
    """Though some of them have to go further than others."""
    index, items, kind = lists
    allowed = Allowed(far(items, kind, items[0]))
    together = index.search(items[:30], 20, allowed)
    for number, query in enumerate(items[:30]):
        alone = index.search(query[None], 20, allowed)
        assert np.array_equal(together[1][number], alone[1][0])
        assert np.array_equal(together[0][number], alone[0][0])


def test_fewer_are_found_where_fewer_are_allowed(lists):
    index, items, _ = lists
    mask = np.zeros(N, bool)
    mask[:12] = True
    rows = index.search(items[:5], 20, Allowed(mask))[1]
    assert ((rows >= 0).sum(axis=1) == 12).all()


@pytest.mark.parametrize("of_each", [1.0, 1.5, 2.0, 10.0])
def test_search_goes_further_than_to_as_many_as_are_allowed(of_each: float):
    assert ann._further(of_each) == of_each * min(of_each, 2)
