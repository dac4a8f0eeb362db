"""Texts of log records, one by one and many at once."""

from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from smar.sources.raw_log import EVENTS, Columns, are_plain, known_clients, text_of
from smar.sources.ubi import _objects, _usual_object

VALUES = st.one_of(
    st.text(max_size=4),
    st.sampled_from(["null", "nan", " a ", "a b", "\ud800", "a\0", "caf\u00e9", "", "7", "N/A"]),
    st.integers(-3, 10**17),
    st.floats(),
    st.none(),
    st.booleans(),
    st.lists(st.text(max_size=2), max_size=2),
)


@given(st.lists(VALUES, max_size=6))
def test_what_is_plain_is_what_text_of_changes_nowhere(values: list[object]):
    if are_plain(values):
        assert [text_of(value) for value in values] == values


@given(st.lists(VALUES, max_size=6))
def test_column_of_any_values_is_text_of_each(values: list[object]):
    columns = Columns(pa.schema([pa.field("query", pa.string()), pa.field("row", pa.int64())]))
    for row, value in enumerate(values):
        columns.add((value, row))
    assert columns.table()["query"].to_pylist() == [text_of(value) for value in values]


@given(VALUES, st.one_of(VALUES, st.just({"ordinal": 3})), VALUES)
def test_usual_event_is_read_as_any_other(item_id: object, position: object, own: object):
    named = {"object_id": item_id, "object_id_field": "id"}
    for thing in (named, named | {"position": own}):
        for place in (position, {"ordinal": position}, {"ordinal": {"index": position}}):
            attributes = {"object": thing, "position": place}
            usual = _usual_object(attributes)
            assert usual is None or [usual] == list(_objects({}, attributes))
    usual = _usual_object({"object": {"object_id": "a7"}, "position": {"ordinal": 2}})
    assert usual == ("a7", "2")


def test_clients_that_are_nobody_leave_the_table_otherwise_as_it_is():
    rows = [(n, "s", name, "", "", "", "", "", "") for n, name in enumerate(["c1", "Guest", ""])]
    table = pa.Table.from_pylist([dict(zip(EVENTS.names, r, strict=True)) for r in rows], EVENTS)
    notes: Counter[str] = Counter()
    found = known_clients(table, notes)
    assert found["client_id"].to_pylist() == ["c1", "", ""]
    assert found.drop_columns("client_id").equals(table.drop_columns("client_id"))
    assert sum(notes.values()) == 1
    assert known_clients(found, notes) is found
