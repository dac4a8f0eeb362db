"""Great Expectations with less work: it has to say and show what it says and shows by itself."""

import datetime
import re
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import great_expectations as gx
import numpy as np
import pandas as pd
import pytest
from great_expectations import util
from great_expectations.core import id_dict
from great_expectations.data_context import AbstractDataContext
from great_expectations.execution_engine import pandas_execution_engine
from great_expectations.expectations import expectation, expectation_configuration
from great_expectations.render.view import view
from great_expectations.validator.validation_graph import ValidationGraph

from smar.validation import checker, gx_costs
from smar.validation.checker import Checker
from smar.validation.contract import (
    QUARANTINE,
    STOP,
    WARN,
    Contract,
    Rule,
    between,
    chars,
    holds,
    lacks,
    matches,
    one_of,
)  # fmt: skip
from smar.validation.data_docs import write_data_docs
from smar.validation.gx_costs import judged_once, rendered_once

ROWS = pd.DataFrame(
    {
        "id": [f"i{n}" for n in range(60)],
        "title": ["red boot", "", "<b>x</b>", "sofa" * 30] * 15,
        "price": [1.0, float("nan"), -3.0, 1e6] * 15,
        "count": [1, 2, 3, 4] * 15,
        "ok": [True, False] * 30,
    }
)
RULES = [
    Rule("price", QUARANTINE, "a price", between("price", 0, 10)),
    Rule("title", WARN, "no markup", lacks("title", "<[a-z]")),
    Rule("price_told", WARN, "a price that is told", between("price", least=-5)),
    Rule("title_form", STOP, "a title", matches("title", "^[a-z ]+$")),
    Rule("title_length", WARN, "a short title", chars("title", 0, 20)),
    Rule("fine", QUARANTINE, "to be fine", holds("ok"), "title"),
    Rule("counted", WARN, "a count", one_of("count", [1, 2])),  # type: ignore[list-item]
]
SUITES = [
    (Contract("things", "rows", RULES, key="id"), ROWS),
    (Contract("things", "rows-none", RULES, key="id"), ROWS[:0]),
    (Contract("things", "whole", RULES[1:3]), ROWS[2:3]),
    (Contract("things", "few", RULES[1:3], key="id"), ROWS[:1]),
]
PLACES = [
    (expectation.Expectation, "configuration"),
    (expectation_configuration.ExpectationConfiguration, "to_domain_obj"),
    (expectation.ColumnMapExpectation, "get_validation_dependencies"),
    (ValidationGraph, "build_metric_dependency_graph"),
    (pandas_execution_engine, "hash_pandas_dataframe"),
    (view, "Environment"),
    (AbstractDataContext, "_save_project_config"),
    (util, "convert_to_json_serializable"),
    (id_dict, "convert_to_json_serializable"),
]


def judged() -> Checker:
    found = Checker({})
    for contract, frame in SUITES:
        found.check(contract, lambda frame=frame: frame)
    return found


@pytest.fixture
def by_itself(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what lets Great Expectations judge as ever; its hash of a frame is on a page."""
    no_hash = {"hash_pandas_dataframe": lambda _: "not computed"}
    usual = partial(patch.multiple, pandas_execution_engine, **no_hash)
    return lambda: monkeypatch.setattr(checker, "judged_once", usual)


def test_verdicts_are_those_of_great_expectations_by_itself(by_itself: Callable[[], None]):
    quick = judged()
    by_itself()
    usual = judged()
    assert quick.results == usual.results
    assert [result.success for result in quick.results].count(False) == 7
    for name, verdict in usual.verdicts.items():
        (_, seen), (_, outcome) = quick.verdicts[name].judged, verdict.judged
        told = [result.to_json_dict() for result in seen.results]
        assert told == [result.to_json_dict() for result in outcome.results]
        assert seen.statistics == outcome.statistics


def test_pages_are_those_of_great_expectations_by_itself(
    tmp_path: Path, by_itself: Callable[[], None]
):
    write_data_docs(tmp_path / "quick", judged())
    by_itself()
    write_data_docs.__wrapped__(tmp_path / "usual", judged())  # type: ignore[attr-defined]
    pages = [
        {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.html")}
        for folder in (tmp_path / "quick", tmp_path / "usual")
    ]
    assert len(pages[0]) == 9
    assert pages[0] == pages[1]


@pytest.mark.parametrize("block", [judged_once, rendered_once])
def test_all_is_put_back_also_after_an_error(block: Callable[[], Any]):
    def within() -> None:
        with block():
            now = [vars(place)[name] for place, name in PLACES]
            changed.extend(
                name for (_, name), a, b in zip(PLACES, before, now, strict=True) if a is not b
            )
            raise KeyError

    before, changed = [vars(place)[name] for place, name in PLACES], list[str]()
    with pytest.raises(KeyError):
        within()
    assert ("Environment" in changed) == (block is rendered_once)
    assert ("configuration" in changed) == (block is judged_once)
    assert [vars(place)[name] for place, name in PLACES] == before


def test_what_a_version_has_not_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(pandas_execution_engine, "hash_pandas_dataframe")
    with judged_once():
        assert not hasattr(pandas_execution_engine, "hash_pandas_dataframe")
    assert not hasattr(pandas_execution_engine, "hash_pandas_dataframe")


def test_configuration_is_made_once_within_the_block_and_tells_the_truth_after_it():
    rule = gx.expectations.ExpectColumnValuesToBeBetween(column="n", min_value=1)
    with judged_once():
        assert rule.configuration is rule.configuration
        assert rule.configuration.to_domain_obj() is rule.configuration.to_domain_obj()
    rule.min_value = 2
    assert rule.configuration.kwargs["min_value"] == 2
    with judged_once():
        assert rule.configuration.kwargs["min_value"] == 2


class _Kind(Enum):
    ONE = "one"


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 2.5, float("nan"), "x", [], (1, None, [True]), {1}, {2: {"a": None}},
        np.int64(4), np.bool_(True), np.float64(1.5), np.array([1, 2]), _Kind.ONE, range(3),
        datetime.date(2026, 1, 2), pd.Timestamp("2026-01-02"), b"ab", re.compile("a+"),
        {"a": [np.float32(0.5), {"b": _Kind.ONE, "c": (None,)}]},
    ],
    ids=str,
)  # fmt: skip
def test_values_are_made_json_as_by_great_expectations(value: Any):
    usual = util.convert_to_json_serializable(value)
    assert repr(gx_costs._plain(util.convert_to_json_serializable, value)) == repr(usual)
    with judged_once():
        assert repr(util.convert_to_json_serializable(value)) == repr(usual)
