"""Kept content is found by its key, wherever it is looked for first."""

import numpy as np
import pytest

from smar.content_keys import KeyTable, keys_of


def keys(*texts: str) -> np.ndarray:
    return keys_of([(text,) for text in texts])


@pytest.mark.parametrize("first", [0, 1, 2, 3, 4, 9])
def test_content_is_found_whatever_place_is_looked_at_first(first: int):
    table = KeyTable(keys("a", "b", "c", "d"))
    assert table.rows_of(keys("c", "x", "a", "d", "b", "y"), first).tolist() == [2, -1, 0, 3, 1, -1]
    assert table.rows_of(keys(), first).tolist() == []


def test_content_kept_twice_is_found_where_it_is_looked_for():
    table = KeyTable(keys("a", "b", "a", "b"))
    assert table.rows_of(keys("a", "b"), 2).tolist() == [2, 3]
    assert set(table.rows_of(keys("b", "a"), 2).tolist()) <= {0, 1, 2, 3}


def test_nothing_is_found_where_nothing_is_kept():
    assert KeyTable(keys()).rows_of(keys("a", "b")).tolist() == [-1, -1]
