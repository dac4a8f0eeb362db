"""Contracts put to frames."""

import pandas as pd
import pytest

from smar.data import schema
from smar.errors import DataError
from smar.validation.checker import Checker
from smar.validation.contract import QUARANTINE, WARN, Contract, Rule, between, holds, matches
from smar.validation.shop import validate_shop

from .conftest import Shop

FRAME = pd.DataFrame(
    {"id": ["a", "b", "c"], "n": [1.0, 20.0, float("nan")], "ok": [True, True, False]}
)


def contract(*rules: Rule) -> Contract:
    return Contract("things", "rows", list(rules), key="id")


def test_rows_that_break_quarantining_rules_are_not_kept():
    checker = Checker({})
    rules = (Rule("n_small", QUARANTINE, "a small n", between("n", 0, 10)),
             Rule("fine", QUARANTINE, "to be fine", holds("ok"), "n"))  # fmt: skip
    assert checker.check(contract(*rules), lambda: FRAME).tolist() == [True, False, False]
    assert checker.results[0].problem() == (
        "things.n: expected a small n; 1 of 3 are not so (for example row 2, 'b': '20') "
        "[things.n_small]"
    )
    assert checker.left_out()[["row", "key", "rule"]].to_numpy().tolist() == [
        [2, "b", "things.n_small"],
        [3, "c", "things.fine"],
    ]


def test_rules_of_a_column_that_are_apart_have_their_own_verdicts():
    checker = Checker({})
    rules = (Rule("n_small", WARN, "a small n", between("n", 0, 10)),
             Rule("fine", QUARANTINE, "to be fine", holds("ok"), "n"),
             Rule("n_told", WARN, "a number", between("n", 0, 100)))  # fmt: skip
    assert checker.check(contract(*rules), lambda: FRAME).tolist() == [True, True, False]
    assert [result.success for result in checker.results] == [False, False, True]


def test_warnings_keep_every_row():
    checker = Checker({"things.n_small": WARN})
    rule = Rule("n_small", QUARANTINE, "a small n", between("n", 0, 10))
    assert checker.check(contract(rule), lambda: FRAME).all()
    assert checker.left_out().empty


def test_index_of_the_frame_does_not_matter():
    rule = Rule("id_short", QUARANTINE, "another id", matches("id", "[^b]"))
    kept = Checker({}).check(contract(rule), lambda: FRAME.set_axis([7, 7, 3]))
    assert kept.tolist() == [True, False, True]


def test_rule_that_cannot_be_evaluated_is_no_verdict_on_the_data():
    rule = Rule("x", WARN, "nothing", between("nowhere", 0))
    with pytest.raises(DataError, match=r"things\.x: could not be evaluated.*nowhere"):
        Checker({}).check(contract(rule), lambda: FRAME)


def test_shop_without_log_and_judgements_is_accepted(shop: Shop):
    tables = {
        name: table if name == "items" else table.slice(0, 0) for name, table in shop.tables.items()
    }
    outcome = validate_shop(tables, lambda: shop.facts, shop.params, None)
    assert [result.problem() for result in outcome.results if not result.success] == []
    assert {name: len(table) for name, table in outcome.accepted.items()} == {
        name: 240 if name == "items" else 0 for name in schema.TABLES
    }
