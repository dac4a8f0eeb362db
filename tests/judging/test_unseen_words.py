"""Queries of words that no search has used."""

import pandas as pd
import pytest

from smar.judging.unseen_words import unseen_word_sets

ROWS = [
    ("a", "Urban red boots", "Velmo", "Shoes > Boots"),
    ("b", "Boot for urban days", "Velmo", "Shoes > Boots"),
    ("c", "Urban dress", "Calla", "Clothing > Dresses"),
    ("d", "Kestrel 500 boots", "Kestrel", "Shoes > Boots"),
    ("e", "Red boots", "Kestrel", "Shoes > Boots"),
    ("f", "Lamp", "", ""),
]


def items(rows: list[tuple[str, str, str, str]] = ROWS) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["item_id", "title", "brand", "category"])


def asked(trained: set[str], table: pd.DataFrame | None = None) -> dict[str, set[str]]:
    """Return the ids of the relevant items by query, of both sets."""
    table = items() if table is None else table
    ids = list(table["item_id"])
    found = {}
    for one in unseen_word_sets(table, trained, ids, seed=1):
        for row, text in enumerate(one.texts):
            found[text] = {ids[column] for column in one.relevant[row].indices}
    return found


def test_words_of_titles_that_no_training_query_used_are_asked_for_with_their_types():
    found = asked({"day red", "boot velmo"})
    assert found == {
        "urban boots": {"a", "b"},
        "urban dresses": {"c"},
        "kestrel boots": {"d", "e"},  # e by its brand
        "for boots": {"b"},
        "lamp": {"f"},
    }


def test_a_word_that_is_used_in_another_form_is_seen():
    assert "urban boots" in asked({"boot"})
    assert "urban boots" not in asked({"boot urban"})


def test_no_word_is_in_both_sets_and_their_place_does_not_hang_on_the_catalogue():
    rows = [
        (str(n), f"{chr(97 + n % 26)}{chr(97 + n // 26)}xo lamp", "", "Lamps") for n in range(60)
    ]
    choice, report = unseen_word_sets(items(rows), set(), [row[0] for row in rows], seed=1)
    assert len(choice) > 10
    assert len(report) > 10
    assert not set(choice.texts) & set(report.texts)
    fewer = unseen_word_sets(items(rows[:30]), set(), [row[0] for row in rows[:30]], seed=1)[0]
    assert set(fewer.texts) <= set(choice.texts)


@pytest.mark.parametrize(("copies", "is_asked"), [(50, True), (51, False)])
def test_a_word_of_more_than_fifty_items_of_a_type_is_no_question(copies: int, is_asked: bool):
    rows = [(str(n), "Urban boots", "", "Boots") for n in range(copies)]
    assert ("urban boots" in asked(set(), items(rows))) == is_asked
