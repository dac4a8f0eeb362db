"""The contracts of the tables: good tables pass, each kind of damage is named."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from smar.data.expectations import check_tables
from smar.errors import DataError
from smar.params import ValidateParams

Tables = dict[str, pd.DataFrame]
TIME = pd.Timestamp("2026-09-01", tz="UTC")
PARAMS = ValidateParams(
    min_items=2,
    max_missing_title_frac=0.0,
    min_picture_coverage=0.5,
    max_title_chars=50,
    max_price=1000.0,
)


@pytest.fixture
def tables() -> Tables:
    return {
        "items": pd.DataFrame(
            {
                "item_id": ["a", "b"],
                "title": ["Boot", "Bag"],
                "price": [1.0, np.nan],
                "image_ids": [np.array([0]), np.array([], int)],
            }
        ),
        "queries": pd.DataFrame(
            {
                "query_id": ["q", "t"],
                "query": ["boot", "bag"],
                "split": ["train", "test"],
                "num_searches": [1, 0],
            }
        ),
        "searches": pd.DataFrame(
            {"search_id": ["s"], "query_id": ["q"], "timestamp": [TIME], "shown": [["a"]]}
        ),
        "engagements": pd.DataFrame(
            {
                "search_id": ["s"],
                "query_id": ["q"],
                "item_id": ["a"],
                "action": ["click"],
                "position": [1.0],
                "timestamp": [TIME],
            }
        ),
        "judgements": pd.DataFrame({"query_id": ["t"], "item_id": ["b"], "grade": [2]}),
    }


def set_value(table: str, column: str, row: int, value: object) -> Callable[[Tables], None]:
    def damage(tables: Tables) -> None:
        frame = tables[table].astype({column: object})
        frame.at[row, column] = value
        tables[table] = frame

    return damage


def failures(tables: Tables) -> list[str]:
    return [result.problem() for result in check_tables(tables, PARAMS) if not result.success]


def test_good_tables_pass(tables: Tables):
    assert failures(tables) == []


def test_a_shop_without_log_and_judgements_passes(tables: Tables):
    for name in ("queries", "searches", "engagements", "judgements"):
        tables[name] = tables[name][:0]
    assert failures(tables) == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (set_value("items", "item_id", 1, "a"), "items.item_id: expected unique values"),
        (set_value("items", "title", 1, ""), "items.title: expected a title"),
        (set_value("items", "title", 1, "x" * 51), "at most 50 characters"),
        (set_value("items", "price", 1, -1.0), "items.price: expected a price from 0 to 1000"),
        (set_value("items", "price", 1, 5000.0), "items.price: expected a price from 0 to 1000"),
        (set_value("items", "image_ids", 0, np.array([], int)), "a picture for 50% of the items"),
        (set_value("queries", "query_id", 1, "q"), "queries.query_id: expected unique values"),
        (set_value("queries", "query", 0, ""), "queries.query: expected a text"),
        (set_value("queries", "split", 0, "dev"), "queries.split: expected one of train"),
        (set_value("queries", "num_searches", 0, -1), "a number of searches >= 0"),
        (set_value("searches", "query_id", 0, "x"), "searches.knows_query: expected a query of"),
        (set_value("engagements", "search_id", 0, "x"), "a search of the search table"),
        (set_value("engagements", "item_id", 0, "x"), "engagements.knows_item: expected an item"),
        (set_value("engagements", "action", 0, "stare"), "engagements.action: expected one of"),
        (set_value("engagements", "position", 0, 0.0), "a position >= 1"),
        (set_value("judgements", "item_id", 0, "x"), "judgements.knows_item: expected an item"),
        (set_value("judgements", "grade", 0, -2), "judgements.grade: expected a grade >= 0"),
    ],
)
def test_damage_is_named(tables: Tables, damage: Callable[[Tables], None], message: str):
    damage(tables)
    assert any(message in problem for problem in failures(tables))


def test_validation_query_with_a_test_text_is_a_leak(tables: Tables):
    tables["queries"] = tables["queries"].assign(split=["validation", "test"], query=["bag", "bag"])
    assert any("text of a test query" in problem for problem in failures(tables))


def test_too_few_items_are_named(tables: Tables):
    tables["items"] = tables["items"][:1]
    assert any("expected at least 2 rows; saw 1" in problem for problem in failures(tables))


def test_missing_column_is_no_verdict_on_the_data(tables: Tables):
    tables["items"] = tables["items"].drop(columns="price")
    with pytest.raises(DataError, match="could not be evaluated"):
        check_tables(tables, PARAMS)
