"""Items that are as they were are told by comparing, whatever comes, goes, moves or changes."""

import numpy as np
import pyarrow as pa
import pytest

from smar.data import schema
from smar.data.text import item_codes, item_texts
from smar.index.same_rows import is_in_place, places_before, unchanged
from smar.index.shop_words import READ

COLUMNS = ("title", "brand")


def table(rows: list[tuple[str, str, str]]) -> pa.Table:
    names = ("item_id", *COLUMNS)
    columns = zip(*rows, strict=True) if rows else [[]] * len(names)
    return pa.table({n: pa.array(c, pa.string()) for n, c in zip(names, columns, strict=True)})


def expected(now: list[tuple[str, str, str]], before: list[tuple[str, str, str]]) -> list[int]:
    """Return it row by row."""
    return [before.index(row) if row in before else -1 for row in now]


@pytest.mark.parametrize("seed", range(8))
def test_rows_of_any_edits_are_those_of_before(seed: int):
    rng = np.random.default_rng(seed)
    before = [(f"i{n}", f"t{rng.integers(3)}", "") for n in range(30)]
    now = [row for row in before if rng.random() < 0.9]  # some go
    now = [(i, t + " new" if rng.random() < 0.2 else t, b) for i, t, b in now]
    now += [(f"x{n}", "t0", "") for n in range(int(rng.integers(4)))]  # some come
    if seed % 2:
        rng.shuffle(now)
        now = [tuple(map(str, row)) for row in now]
    places = places_before(table(now), table(before))
    assert unchanged(table(now), table(before), places, COLUMNS).tolist() == expected(now, before)


def test_table_in_pieces_is_compared_as_one():
    rows = [("a", "x", "1"), ("b", "y", ""), ("c", "z", "")]
    parts = pa.concat_tables([table(rows[:1]), table(rows[1:])])
    places = places_before(parts, table(rows))
    assert is_in_place(places, 3)
    assert unchanged(parts, table(rows), places, COLUMNS).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("now", "before"), [([], []), ([("a", "", "")], []), ([], [("a", "", "")])]
)
def test_nothing_is_as_it_was_where_one_table_is_empty(now, before):
    found = unchanged(table(now), table(before), places_before(table(now), table(before)), COLUMNS)
    assert found.tolist() == [-1] * len(now)


def test_columns_that_are_compared_are_those_that_texts_and_codes_are_made_of():
    text = [f.name for f in schema.ITEMS if f.type == pa.string()]
    row = {name: f"{name} 12345" for name in text} | {"attributes": "colour: red"}
    plain = pa.table({name: [value] for name, value in row.items()}).to_pandas()
    for name in text:
        other = plain.assign(**{name: [row[name] + "9"]})
        is_read = (item_texts(other), item_codes(other)) != (item_texts(plain), item_codes(plain))
        assert is_read == (name in {*READ, "item_id"}), name
