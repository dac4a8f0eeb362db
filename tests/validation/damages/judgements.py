"""Damage to judgements."""

import pandas as pd

from .shop import QUARANTINE, WARN, Damage, DamagedShop, both, put, replace_all, setting


def judge_twice(shop: DamagedShop) -> list[int]:
    rows = shop.take("judgements")
    return shop.append("judgements", shop.frames["judgements"].loc[rows].assign(grade=1))


def judge_few(shop: DamagedShop) -> None:
    judged = shop.frames["judgements"]
    few = judged["query_id"].drop_duplicates()[::4]
    shop.frames["judgements"] = judged[judged["query_id"].isin(few)].reset_index(drop=True)


def judge_one_item(shop: DamagedShop) -> None:
    test = shop.frames["queries"].query("split in ('trial', 'test')")["query_id"]
    item = shop.frames["items"]["item_id"][0]
    more = pd.DataFrame({"query_id": test, "item_id": item, "grade": 1})
    whole = pd.concat([shop.frames["judgements"], more]).drop_duplicates(["query_id", "item_id"])
    shop.frames["judgements"] = whole.reset_index(drop=True)


JUDGEMENTS = [
    Damage(
        "judgement_of_unknown_query",
        "a judgement of no test query",
        "judgements.query_known",
        QUARANTINE,
        "a judged query of the accepted query table",
        "links",
        put("judgements", "query_id", "t-nothing"),
    ),
    Damage(
        "judgement_of_unknown_item",
        "a judgement of an item that is nowhere",
        "judgements.item_known",
        QUARANTINE,
        "an item of the accepted item table",
        "links",
        put("judgements", "item_id", "nothing"),
    ),
    Damage(
        "grade_negative",
        "grades below and above the scale",
        "judgements.grade_range",
        QUARANTINE,
        "a grade from 0 to 10",
        "rows",
        put("judgements", "grade", -1, 99),
    ),
    Damage(
        "judged_twice",
        "a pair judged twice",
        "judgements.judged_once",
        QUARANTINE,
        "each pair once",
        "rows",
        judge_twice,
    ),
    Damage(
        "judgements_few",
        "most test queries lose their judgements",
        "judgements.queries_judged",
        WARN,
        "a judgement for 50% of the test queries",
        "shares-2",
        judge_few,
        also=("judgements.queries_answered",),
    ),
    Damage(
        "grades_zero",
        "every grade is 0",
        "judgements.queries_answered",
        WARN,
        "a grade above 0 for 50%",
        "shares-1",
        replace_all("judgements", "grade", lambda s: 0),
    ),
    Damage(
        "judgements_of_one_item",
        "the same item judged for every query",
        "judgements.pairs_per_item",
        WARN,
        "at most 10% of the judgements about one item",
        "shares-3",
        both(setting("judgements.max_item_frac", 0.1), judge_one_item),
    ),
]
