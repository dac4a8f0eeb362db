"""Membership of texts, as pandas has it."""

import pandas as pd
import pyarrow as pa
import pytest

from smar.data.membership import is_in, rows_of

TEXTS = pd.Series(["a", "b", None, "", "a"], index=[9, 3, 5, 7, 1], dtype=str)


@pytest.mark.parametrize("kind", [set, list, tuple, pd.Index, pd.Series, dict.fromkeys])
@pytest.mark.parametrize("values", [["a", ""], [], ["zz"]])
def test_is_in_is_isin(kind, values: list[str]):
    among = kind(pd.Series(values, dtype=str)) if kind in {pd.Index, pd.Series} else kind(values)
    found = is_in(TEXTS, among)
    pd.testing.assert_series_equal(found, TEXTS.isin(values))
    pd.testing.assert_series_equal(is_in(TEXTS.astype(object), among), found)
    assert is_in(TEXTS[:0], among).empty


@pytest.mark.parametrize("texts", [[], ["b"], ["c", "b", "a"], ["d", "a", "d"], ["a", "b", "c"]])
@pytest.mark.parametrize("known", [[], ["a", "b", "c"], ["e", "b"]])
def test_rows_of_are_those_of_each_text_and_only_new_ones_are_made(
    texts: list[str], known: list[str]
):
    made: list[str] = []

    def make(of: pa.Array) -> pa.Table:
        made.extend(of.to_pylist())
        return pa.table({"query": of, "twice": pa.array([2 * t for t in of.to_pylist()], of.type)})

    before = make(pa.array(known, pa.string()))
    made.clear()
    found = rows_of(pa.array(texts, pa.string()), before, make)
    assert found.to_pydict() == {"query": texts, "twice": [2 * text for text in texts]}
    assert not set(made) & set(known)
