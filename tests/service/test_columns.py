"""Columns of texts answer as plain dictionaries would, and hold no text as an object."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from smar.service.columns import LevelColumn, TextColumn, levels_of
from smar.service.sorted_texts import SortedTexts

TEXTS = ["b", "", "é", "a", "b", "\U0001f600", "ab", "", "b", "a", "￿", "A"]


@pytest.mark.parametrize("texts", [TEXTS, sorted(set(TEXTS)), [""], [], ["x"] * 3])
@pytest.mark.parametrize("most", [1, 2, 100])
@pytest.mark.parametrize("is_encoded", [False, True])
def test_text_column_counts_as_a_dictionary_does(texts: list[str], most: int, *, is_encoded: bool):
    given = pa.array(texts, pa.string())
    if is_encoded:  # as kept items have it, here with its values in another order
        values = pa.array(sorted(set(texts), reverse=True), pa.string())
        places = [values.to_pylist().index(text) for text in texts]
        given = pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()), values)
    column = TextColumn(given)
    mask = np.arange(len(texts)) % 4 != 1
    chosen = [text for text, is_in in zip(texts, mask, strict=True) if is_in]
    expected = Counter(text for text in chosen if text)
    facet = column.facet(mask, most)
    ordered = sorted(expected.items(), key=lambda each: (-each[1], each[0]))[:most]
    assert list(facet.counts.items()) == ordered
    assert (facet.values, facet.unknown) == (len(expected), chosen.count(""))
    for text in {*texts, "c", "\U0001f601"}:
        assert column.any_of([text]).tolist() == [text == each for each in texts]
    keys = column.keys().tolist()
    assert [key < 0 for key in keys] == [not text for text in texts]
    assert len({key for key in keys if key >= 0}) == len(set(texts) - {""})


def test_level_column_counts_every_level():
    texts = ["a > b", "a", "a > c", "", "a > b"]
    facet = LevelColumn(pa.array(texts)).facet(np.ones(5, bool), 2)
    expected = Counter(level for text in texts if text for level in levels_of(text))
    assert facet.counts == {"a": expected["a"], "a > b": 2}
    assert (facet.values, facet.unknown) == (3, 1)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [(["1", "", "2.5"], True), (["1", "x"], False), (["", ""], False), ([], False), (["x"], False)],
)
def test_texts_are_numbers_where_all_are(texts: list[str], *, expected: bool):
    assert TextColumn(pa.array(texts, pa.string())).is_numeric is expected


def test_one_text_is_enough_to_know_that_not_all_are_numbers():
    column = TextColumn(pa.array([f"name {number}" for number in range(20_000)]))
    assert not column.is_numeric
    assert "_number_of" not in vars(column)


def test_texts_are_found_by_halves():
    texts = pa.array(["b", "é", "", "a", "\U0001f600", "￿"])
    found = SortedTexts(texts)
    ordered = sorted(texts.to_pylist())
    assert found.at(np.arange(len(texts))) == ordered
    assert [found.place(text) for text in ordered] == list(range(len(texts)))
    assert [found.place(text) for text in ("c", "aa", "\U0001f601")] == [-1, -1, -1]
    assert SortedTexts(pa.array([], pa.string())).place("") == -1
