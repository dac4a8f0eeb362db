"""Every kind of damage is caught by its rule, with its message, and no good row is lost."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from smar.data import schema
from smar.data.images import ImageStore
from smar.params import ValidateParams
from smar.validation.pictures import read_picture_facts
from smar.validation.shop import Outcome, contracts, validate_shop

from .conftest import Shop
from .damages import DAMAGES, Damage, DamagedShop

ROOT = Path(__file__).parents[2]
# What follows from a row that is left out: all that refers to it is left out as well.
FOLLOWS = {
    "searches.query_known",
    "queries.still_searched",
    "engagements.search_known",
    "engagements.item_known",
    "judgements.query_known",
    "judgements.item_known",
}
SETTINGS = {
    "rows": {"max_quarantined_frac": 0.3, "items.categories": "those of the shop"},
    "links": {"max_quarantined_frac": 0.3},
}
COMPARED = {"rows", "news", "previous-1", "previous-2"}
ROUNDS = list(dict.fromkeys(damage.shops for damage in DAMAGES))


@dataclass(frozen=True)
class Round:
    """A shop with the damages of one round, and what validation said."""

    damaged: DamagedShop
    rows: dict[str, list[int] | None]
    outcome: Outcome


@pytest.fixture(scope="module")
def rounds(shop: Shop):
    """Return the outcome of a round, worked out once."""
    return cache(lambda name: play(shop, name))


def play(shop: Shop, name: str) -> Round:
    frames = {table: content.to_pandas() for table, content in shop.tables.items()}
    damaged = DamagedShop(frames, shop.pixels.copy())
    for key, value in SETTINGS.get(name, {"max_quarantined_frac": 0.05}).items():
        damaged.settings[key] = value
    rows = {d.name: d.apply(damaged) for d in DAMAGES if d.shops == name}
    facts = shop.facts
    if not np.array_equal(damaged.pixels, shop.pixels):
        rows_of = range(len(damaged.pixels))
        table = pa.table({"shard": ["all"] * len(rows_of), "place": rows_of})
        facts = read_picture_facts(ImageStore({"all": damaged.pixels}, table, 40, 32), 2.0, 2.0)
    before = shop.profile if name in COMPARED else None
    params = with_settings(shop, damaged.settings)
    return Round(damaged, rows, validate_shop(damaged.tables(), lambda: facts, params, before))


def with_settings(shop: Shop, settings: dict[str, Any]) -> ValidateParams:
    content = shop.params.model_dump()
    for key, value in settings.items():
        section, _, name = key.rpartition(".")
        (content[section] if section else content)[name] = value
    if content["items"]["categories"]:
        tops = shop.tables["items"].to_pandas()["category"].str.split(" > ").str[0].unique()
        content["items"]["categories"] = [*tops, "Shoes>Boots", "Electronics"]
    return ValidateParams.model_validate(content)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_damage_is_caught(damage: Damage, rounds):
    played: Round = rounds(damage.shops)
    result = next(r for r in played.outcome.results if r.rule == damage.rule)
    assert (result.success, result.severity) == (False, damage.severity)
    assert damage.message in result.problem() or damage.message in everything(played, damage.rule)
    rows = played.rows[damage.name]
    if rows is not None and damage.severity == "quarantine":
        left_out = played.outcome.checker.left_out()
        mine = left_out[left_out["rule"] == damage.rule]
        assert {row + 1 for row in rows} <= set(mine["row"])
        if damage.rule not in FOLLOWS:
            same_rule = [
                d.name for d in DAMAGES if d.shops == damage.shops and d.rule == damage.rule
            ]
            assert len(mine) == sum(len(played.rows[name] or []) for name in same_rule)
            assert (mine["column"] == result.column).all()
    elif rows is not None:
        assert result.broken >= len(rows)


def everything(played: Round, rule: str) -> str:
    """Return the values left out by a rule, for values that are not among the first examples."""
    left_out = played.outcome.checker.left_out()
    return " ".join(left_out.loc[left_out["rule"] == rule, "value"])


@pytest.mark.parametrize("name", ROUNDS)
def test_nothing_else_is_complained_about(name: str, rounds):
    played: Round = rounds(name)
    mine = [damage for damage in DAMAGES if damage.shops == name]
    allowed = {rule for damage in mine for rule in (damage.rule, *damage.also)} | FOLLOWS
    broken = {r.rule: r.problem() for r in played.outcome.results if not r.success}
    assert {rule: text for rule, text in broken.items() if rule not in allowed} == {}


@pytest.mark.parametrize("name", [name for name in ROUNDS if name not in {"columns", "stops"}])
def test_no_good_row_is_lost(name: str, rounds):
    """The rows left out are those damaged so that they must go, and those that refer to them."""
    played: Round = rounds(name)
    bad = {table: set() for table in schema.TABLES}
    for damage in DAMAGES:
        if damage.shops == name and damage.severity == "quarantine":
            bad[damage.rule.split(".")[0]] |= set(played.rows[damage.name] or [])
    if name == "shares-4":
        bad["items"] = set(np.flatnonzero(played.damaged.frames["items"]["price"] < 0))
    frames = played.damaged.frames
    left = oracle(frames, bad)
    for table, frame in left.items():
        accepted = played.outcome.accepted[table].to_pandas()
        key = list(schema.TABLES[table].names)[:2]
        assert (
            accepted[key].astype(str).to_numpy().tolist()
            == frame[key].astype(str).to_numpy().tolist()
        )


def oracle(frames: dict[str, pd.DataFrame], bad: dict[str, set[int]]) -> dict[str, pd.DataFrame]:
    """Return what is to be left of the tables, row by row."""
    items = frames["items"].drop(index=list(bad["items"]))
    queries = frames["queries"].drop(index=list(bad["queries"]))
    searches = frames["searches"].drop(index=list(bad["searches"]))
    searches = searches[searches["query_id"].isin(queries["query_id"])]
    lonely = ~queries["query_id"].isin(searches["query_id"]) & (queries["num_searches"] > 0)
    queries = queries[~(lonely & queries["split"].isin(schema.LOGGED))]
    events = frames["engagements"].drop(index=list(bad["engagements"]))
    known = events["search_id"].isin(searches["search_id"]) & events["item_id"].isin(
        items["item_id"]
    )
    judged = frames["judgements"].drop(index=list(bad["judgements"]))
    test = queries.loc[queries["split"].isin(schema.JUDGED), "query_id"]
    fits = judged["query_id"].isin(test) & judged["item_id"].isin(items["item_id"])
    return {
        "items": items,
        "queries": queries,
        "searches": searches,
        "engagements": events[known],
        "judgements": judged[fits],
    }


def test_every_rule_is_proved_by_a_damage(shop: Shop):
    rules = {
        f"{contract.table}.{rule.name}"
        for contract in contracts(with_settings(shop, {"items.categories": ["x"]}))
        for rule in contract.rules
    }
    proved = {damage.rule for damage in DAMAGES}
    per_table = {
        f"{table}.{rule}"
        for table in schema.TABLES
        for rule in ("columns", "values_required", "quarantined")
    }
    assert rules - proved - per_table == set()


def test_documentation_lists_the_damages_with_their_tests():
    text = (ROOT / "docs" / "validation.md").read_text()
    listed = re.findall(r"^\| (.+?) \| `([\w.]+)` \| (\w+) \| `\[(\w+)\]` \|$", text, re.MULTILINE)
    assert listed == [(d.what, d.rule, d.severity, d.name) for d in DAMAGES]
    assert len(DAMAGES) >= 40
