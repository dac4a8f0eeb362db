"""Exact search."""

import numpy as np
import pytest

from smar.errors import ShapeError
from smar.index import exact
from smar.index.exact import exact_search


def test_exact_search_equals_a_full_sort():
    rng = np.random.default_rng(0)
    queries, items = rng.random((7, 4), np.float32), rng.random((30, 4), np.float32)
    scores, rows = exact_search(queries, items, 5)
    expected = np.argsort(-(queries @ items.T), axis=1, kind="stable")[:, :5]
    assert (rows == expected).all()
    assert np.allclose(scores, np.take_along_axis(queries @ items.T, expected, 1))


@pytest.mark.parametrize("few", [2, 7], ids=["many queries", "few queries"])
@pytest.mark.parametrize("most", [1, 29, 30, 61, 10_000])
def test_how_many_are_searched_at_once_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, most: int, few: int
):
    rng = np.random.default_rng(0)
    queries, items = rng.integers(-9, 9, (7, 4)), rng.integers(-9, 9, (30, 4))
    queries, items = queries.astype(np.float32), items.astype(np.float32)
    whole = exact_search(queries, items, 5)
    monkeypatch.setattr(exact, "_FEW", few)
    monkeypatch.setattr(exact, "_ITEMS", most)
    monkeypatch.setattr(exact, "_ITEMS_OF_FEW", most)
    monkeypatch.setattr(exact, "_BLOCK", 3)
    for one, other in zip(exact_search(queries, items, 5), whole, strict=True):
        assert np.array_equal(one, other)


def test_exact_search_breaks_ties_by_row():
    items = np.ones((6, 2), np.float32)
    assert exact_search(np.ones((1, 2), np.float32), items, 4)[1].tolist() == [[0, 1, 2, 3]]


def test_exact_search_pads_when_items_are_few():
    scores, rows = exact_search(np.ones((1, 2), np.float32), np.ones((2, 2), np.float32), 4)
    assert rows.tolist() == [[0, 1, -1, -1]]
    assert np.isneginf(scores[0, 2:]).all()


def test_exact_search_refuses_other_lengths():
    with pytest.raises(ShapeError, match="queries of length 3, items of 2"):
        exact_search(np.ones((1, 3), np.float32), np.ones((2, 2), np.float32), 1)
