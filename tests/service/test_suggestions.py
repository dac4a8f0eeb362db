"""What is suggested: from the log what enough shoppers typed, from the catalogue its names."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smar.errors import RequestError
from smar.service.suggesting import Suggester, _in_pieces
from smar.service.suggestions import (
    QUERY,
    WORD,
    build_suggestions,
    read_suggestions,
    rows_of,
    write_suggestions,
)

ITEMS = pd.DataFrame(
    [
        ("teal lamp of brass", "Fjord", "Home > Lamps"),
        ("teal floor lamp", "Fjord", "Home > Lamps"),
        ("striped sandal", "Acme", "Shoes > Sandals"),
        ("striped boot", "Acme", "Shoes > Boots"),
        ("grey boot", "Acme", "Shoes > Boots"),
    ],
    columns=["title", "brand", "category"],
)
LOG = {
    "teal lamp": ["a", "b", "c", "c"],
    "teal lamps": ["a", "d", "e"],
    "tael lamp": ["a", "b", "c", "d"],  # a slip of many
    "gift for dad": ["a", "b", "c"],  # no word of the catalogue, and near none
    "my name is john doe": ["a", "a", "a", "a"],  # one shopper's own
    "boots": ["", "", "", "", ""],  # a log that does not say who searched
    "striped boot": ["a", "b", "c", "d", "e", "f"],
}


def log() -> tuple[pd.DataFrame, pd.DataFrame]:
    queries = pd.DataFrame(
        [(f"q{n}", text, split) for n, text in enumerate(LOG) for split in ("train", "trial")],
        columns=["query_id", "query", "split"],
    )
    rows = [(f"q{n}", client) for n, clients in enumerate(LOG.values()) for client in clients]
    searches = pd.DataFrame(rows, columns=["query_id", "client_id"])
    return queries, searches.assign(search_id=[f"s{row}" for row in range(len(searches))])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return build_suggestions(ITEMS, *log())


@pytest.fixture(scope="module")
def suggester(table: pd.DataFrame) -> Suggester:
    return Suggester(rows_of(table))


def of_kind(table: pd.DataFrame, kind: str) -> dict[str, int]:
    some = table[table["kind"] == kind]
    return dict(zip(some["text"], some["count"], strict=True))


def test_queries_of_enough_shoppers_are_suggested_once_however_they_end(table: pd.DataFrame):
    assert of_kind(table, QUERY) == {
        "teal lamp": 7, "gift for dad": 3, "boots": 5, "striped boot": 6,
    }  # fmt: skip


def test_catalogue_gives_its_names_and_the_words_that_two_items_have(table: pd.DataFrame):
    assert of_kind(table, "category") == {"lamps": 2, "sandals": 1}  # "boots" is searched for
    assert of_kind(table, "brand") == {"fjord": 2, "acme": 3}
    assert of_kind(table, "brand and category") == {
        "fjord lamps": 2, "acme sandals": 1, "acme boots": 2,
    }  # fmt: skip
    assert of_kind(table, WORD)["striped"] == 2
    assert "grey" not in of_kind(table, WORD)


def texts(found: list) -> list[str]:
    return [each.text for each in found]


def test_whole_beginnings_come_before_beginnings_of_a_word_and_searches_before_names(suggester):
    assert texts(suggester.suggest("b")) == ["boots", "striped boot", "acme boots"]
    assert texts(suggester.suggest("lamp")) == ["lamps", "teal lamp", "fjord lamps"]
    assert texts(suggester.suggest("b", 1)) == ["boots"]


def test_beginning_is_read_as_a_query_is(suggester):
    assert texts(suggester.suggest("  TEAL  La")) == ["teal lamp"]
    assert suggester.suggest("boot ") == suggester.suggest("zzz") == suggester.suggest(" ") == []
    assert suggester.suggest("b" * 10_000) == []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("tael la", "teal lamp"),
        ("strped b", "striped boot"),
        ("fjrod", "fjord lamps"),
        ("sandl", "sandals"),
        ("stripd ", "striped boot"),
    ],
)
def test_misspelled_beginnings_are_mended(suggester, typed: str, meant: str):
    found = suggester.suggest(typed)
    assert meant in texts(found)
    assert all(each.is_mended for each in found)
    assert not any(each.is_mended for each in suggester.suggest(meant))


@pytest.mark.parametrize("k", [0, 51, True, "5"])
def test_number_of_suggestions_is_checked(suggester, k: int):
    with pytest.raises(RequestError, match="k: "):
        suggester.suggest("b", k)


def test_table_is_read_as_it_was_written(tmp_path: Path, table: pd.DataFrame):
    write_suggestions(tmp_path / "suggestions.parquet", table)
    again = read_suggestions(tmp_path / "suggestions.parquet")
    assert again.to_dict("list") == table.to_dict("list")


def test_shop_without_a_log_suggests_its_names():
    table = build_suggestions(ITEMS)
    assert texts(Suggester(rows_of(table)).suggest("fj")) == ["fjord", "fjord lamps"]
    empty = Suggester(rows_of(build_suggestions(ITEMS[:0])))
    assert empty.suggest("a") == []


@given(st.lists(st.tuples(st.text(max_size=5), st.integers(0, 9), st.booleans())))
def test_beginnings_that_are_sorted_in_pieces_are_in_order(starts: list[tuple[str, int, bool]]):
    assert _in_pieces(starts) == sorted(starts)
