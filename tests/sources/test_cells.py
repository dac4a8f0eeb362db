"""Cells by what is distinct among them: what is made of each is what is made of every row."""

from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from smar.sources.cells import CodedCells, as_text, distinct_pairs, texts_in

CELL = st.one_of(st.sampled_from(["", "a", "b", "1"]), st.sampled_from([1, 1.0, True, None]))
PAIRS = st.lists(st.tuples(CELL, CELL), max_size=8)


def told_apart(cells: list[Any]) -> list[tuple[type, Any]]:
    return [(type(cell), cell) for cell in cells]


@given(PAIRS)
def test_cells_are_what_they_were_and_texts_are_there_once(rows: list[tuple[Any, Any]]):
    cells = [cell for cell, _ in rows]
    coded = CodedCells.of(cells)
    assert told_apart(coded.cells) == told_apart(cells)
    texts = [cell for cell in coded.distinct if isinstance(cell, str)]
    assert texts == list(dict.fromkeys(cell for cell in cells if isinstance(cell, str)))
    assert [*coded.then(coded).cells] == [*cells, *cells]
    assert coded.map(as_text).texts().to_pylist() == [as_text(cell) for cell in cells]


@given(PAIRS)
def test_first_filled_cell_counts_and_no_other_is_left(rows: list[tuple[Any, Any]]):
    first, second = ([row[side] for row in rows] for side in (0, 1))
    expected = [right if left == "" else left for left, right in rows]
    found = CodedCells.of(first).or_else(CodedCells.of(second))
    assert told_apart(found.cells) == told_apart(expected)
    assert set(map(type, found.distinct)) == set(map(type, expected))
    kept = CodedCells.of(second).where(CodedCells.of(first).are(""))
    assert told_apart(kept.cells) == told_apart([b if a == "" else "" for a, b in rows])
    assert len(kept.distinct) <= len(rows)


@given(PAIRS)
def test_pairs_come_once_in_the_order_of_the_rows(rows: list[tuple[Any, Any]]):
    coded = (CodedCells.of([row[side] for row in rows]) for side in (0, 1))
    pairs, codes = distinct_pairs(*coded)
    assert [pairs[code] for code in codes] == rows
    assert list(dict.fromkeys(codes.tolist())) == list(range(len(pairs)))


def test_column_of_texts_is_coded_and_read_as_one_of_objects():
    texts = ["b", "", "a", "b"]
    for dtype in (str, object):
        column = pd.Series(texts, dtype=dtype)
        assert CodedCells.of(column).distinct == ["b", "", "a"]
        assert CodedCells.of(column).cells == texts_in(column).to_pylist() == texts
    missing = pd.Series(["a", None, "a"], dtype=str)  # which is NaN, as read
    assert texts_in(missing).to_pylist() == ["a", "", "a"]
    assert len(CodedCells.of(missing).distinct) == 2
