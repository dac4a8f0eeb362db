"""Membership of texts, as pandas has it."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from smar.data.membership import are_ascending, is_in, places_of, rows_of

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


@pytest.mark.parametrize("chunked", [False, True])
def test_places_are_the_first_ones_and_what_is_not_there_has_none(*, chunked: bool):
    texts, among = pa.array(["b", "z", "a", "", "b"]), pa.array(["a", "b", "a", "b", ""])
    asked = pa.chunked_array([texts[:2], texts[2:]]) if chunked else texts
    found = places_of(asked, among)
    assert found.dtype == np.int64
    assert found.tolist() == [1, -1, 0, 4, 1]
    assert places_of(asked, among[:0]).tolist() == [-1] * 5
    assert places_of(asked[:0], among).tolist() == []


@pytest.mark.parametrize("seed", range(4))
def test_few_texts_have_their_first_places_among_many(seed: int):
    rng = np.random.default_rng(seed)
    drawn = [None, *(f"t{number}" for number in range(30))]
    among = [drawn[at] for at in rng.integers(0, 25, 60)]
    texts = [drawn[at] for at in rng.integers(0, 31, rng.integers(0, 9))]
    expected = [among.index(text) if text in among else -1 for text in texts]
    asked = pa.array(texts, pa.string())
    assert places_of(asked, pa.array(among, pa.string())).tolist() == expected
    assert places_of(pa.chunked_array([asked[:2], asked[2:]]), pa.array(among)).tolist() == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], True), ([7], True), ([1, 2, 5], True), ([1, 1], False), ([2, None, 2], False)],
)
def test_numbers_that_ascend_are_distinct(values: list[int | None], *, expected: bool):
    assert are_ascending(pa.array(values, pa.int64())) == expected
    assert are_ascending(pa.chunked_array([values[:1], values[1:]], pa.int64())) == expected


def test_values_without_a_kind_ascend_only_where_there_is_none_to_compare():
    assert [are_ascending(pa.nulls(length)) for length in (0, 1, 2)] == [True, True, False]
