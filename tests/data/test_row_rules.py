"""A row that a reader leaves out is one that validation would leave out, and the reverse."""

import pandas as pd
import pytest

from smar.data import row_rules
from smar.data.row_rules import RowRule
from smar.sources.quarantine import Quarantine
from smar.validation.contract import promises

ROWS = {
    "items": ({"item_id": "a", "title": "Boot"}, {"item_id": " "}, {"title": "\t"}, {}),
    "queries": ({"query_id": "q", "query": "boot"}, {"query": ""}, {"query_id": ""}, {}),
    "searches": ({"search_id": "s"}, {"search_id": ""}),
    "engagements": (
        {"search_id": "s", "search": 0, "item_id": "a"},
        {"search": -1},
        {"item_id": ""},
        {"item_id": "z"},
    ),
    "judgements": (
        {"query_id": "q", "item_id": "a"},
        {"query_id": "x"},
        {"item_id": "z"},
        {},
    ),
}
KNOWN: row_rules.Known = {"item_id": {"a"}, "query_id": {"q"}}
TABLES = (
    row_rules.ITEMS,
    row_rules.QUERIES,
    row_rules.SEARCHES,
    row_rules.ENGAGEMENTS,
    row_rules.JUDGEMENTS,
)


@pytest.mark.parametrize("rules", TABLES, ids=lambda rules: rules[0].table)
def test_reader_and_contract_leave_out_the_same_rows(rules: tuple[RowRule, ...]):
    first, *others = ROWS[rules[0].table]
    frame = pd.DataFrame([first, *({**first, **other} for other in others)])
    frame["row"] = range(1, len(frame) + 1)
    kept = Quarantine().hold("rows", frame, rules, key=rules[0].column, known=KNOWN)
    claims = pd.DataFrame(promises(frame, rules, KNOWN))
    assert kept["row"].tolist() == (frame["row"][claims.all(axis=1)]).tolist() == [1]
    assert (~claims).any().all(), "a rule that no row here breaks"


@pytest.mark.parametrize(
    "ids", [[], ["a"], ["a", "b", "c"], ["a", "a"], ["b", "a", "b"], ["b", None, "b"], [1, 2, 2]]
)
def test_ids_are_again_what_they_were_before(ids: list[object]):
    (rule,) = (rule for rule in row_rules.ITEMS if rule.short_name == "id_unique")
    frame = pd.DataFrame({"item_id": ids}, index=[7] * len(ids))
    expected = [name in ids[:at] for at, name in enumerate(ids)]
    found = rule.is_broken(frame, {})
    assert found.tolist() == expected
    assert found.index.equals(frame.index)
    assert found.dtype == bool
