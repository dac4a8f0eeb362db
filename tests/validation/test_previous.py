"""What is remembered of accepted data."""

import json
import math
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smar.validation.kept_facts import KeptFacts
from smar.validation.previous import (
    ItemSummary,
    Profile,
    category_table,
    figures,
    profile_of,
    read_profile,
    source_key,
    summary_of,
    volume_table,
    write_profile,
)

ROWS = {"items": 4, "queries": 0, "searches": 0, "engagements": 0, "judgements": 0}


def items(count: int, prefix: str = "i") -> pd.DataFrame:
    numbers = range(count)
    return pd.DataFrame(
        {
            "item_id": [f"{prefix}{n}" for n in numbers],
            "title": [f"boot {n}" for n in numbers],
            "description": "a boot that is made for you",
            "brand": "Acme",
            "category": "Shoes",
            "attributes": "",
            "price": np.nan,
            "pictures": 1,
        }
    )


def made_of(frame: pd.DataFrame, rows: dict[str, int], click_through: float) -> Profile:
    return profile_of(ItemSummary.of(frame), rows, click_through)


def test_profile_survives_the_disk_missing_numbers_included(tmp_path: Path):
    profile = made_of(items(4), ROWS, math.nan)
    write_profile(tmp_path / "a.json", profile, "monday")
    again = read_profile(tmp_path / "a.json", "tuesday")
    assert again is not None
    assert math.isnan(again.price)
    assert math.isnan(again.click_through)
    assert replace(again, price=0, click_through=0) == replace(profile, price=0, click_through=0)
    assert read_profile(tmp_path / "b.json", "monday") is None


def test_same_data_again_is_compared_with_what_was_before_it(tmp_path: Path):
    file = tmp_path / "a.json"
    for day, size in (("monday", 4), ("tuesday", 5), ("tuesday", 5)):
        profile = made_of(items(size), ROWS | {"items": size}, 0.5)
        write_profile(file, replace(profile, price=1.0), day)
        found = read_profile(file, day)
        assert (found and found.rows["items"]) == (4 if day == "tuesday" else None)
    assert read_profile(file, "wednesday").rows["items"] == 5


def test_profile_of_another_form_counts_as_none_and_is_replaced(tmp_path: Path):
    (tmp_path / "a.json").write_text('{"format": 1, "rows": {}}')
    assert read_profile(tmp_path / "a.json", "monday") is None
    write_profile(tmp_path / "a.json", made_of(items(4), ROWS, 0.5), "monday")
    assert read_profile(tmp_path / "a.json", "tuesday") is not None


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_share_of_ids_kept_is_estimated_well(share: float):
    before, stay = items(5000), int(5000 * share)
    now = pd.concat([items(stay), items(5000 - stay, "new")])
    then = made_of(before, ROWS, math.nan)
    seen = figures(ItemSummary.of(now), made_of(now, ROWS, math.nan), then)
    assert seen["items_kept"].iloc[0] == pytest.approx(share, abs=0.06)


def test_nothing_to_compare_is_not_judged():
    nothing = made_of(items(4)[:0], ROWS | {"items": 0}, math.nan)
    seen = figures(ItemSummary.of(items(4)), made_of(items(4), ROWS, math.nan), nothing)
    assert seen.drop(columns="new_words").isna().all(axis=None)
    assert volume_table(made_of(items(4), ROWS, math.nan), nothing).empty


def test_new_categories_are_told_with_their_size():
    before = made_of(items(4), ROWS, math.nan)
    now = items(5).assign(category=["Shoes", "Bags", "Bags", "", "Shoes"])
    table = category_table(ItemSummary.of(now), before).set_index("category")
    assert table["is_known"].to_dict() == {"Shoes": True, "Bags": False, "": True}
    assert table.loc["Bags", "items"] == "2 items"


def test_source_key_tells_shops_apart_but_not_reader_settings():
    one = {"source": "feed", "folder": "a", "feed": {"file": "x.csv"}, "demo": {"num_items": 1}}
    assert source_key(one) == source_key(one | {"demo": {"num_items": 2}, "validation_frac": 0.5})
    assert source_key(one) != source_key(one | {"folder": "b"})
    demo = one | {"source": "demo"}
    assert source_key(demo) != source_key(demo | {"demo": {"num_items": 2}})


@pytest.mark.parametrize("count", [1, 1024, 1025, 3000])
def test_ids_are_told_by_their_smallest_hashes(count: int):
    frame = items(count)
    hashes = [blake2b(one.encode(), digest_size=8).hexdigest() for one in frame["item_id"]]
    assert made_of(frame, ROWS, 0.1).item_ids == sorted(hashes)[:1024]


def test_summary_is_kept_of_a_table_that_was_accepted_whole(tmp_path: Path):
    asked, files = list[int](), {"items": "a"}

    def summary(count: int, *, are_all: bool) -> ItemSummary:
        def some() -> pd.DataFrame:
            asked.append(count)
            return items(count)

        return summary_of(some, KeptFacts(tmp_path, files), are_all=are_all)

    assert summary(4, are_all=False).rows == 4
    whole = [summary(5, are_all=True), summary(5, are_all=True), ItemSummary.of(items(5))]
    assert len({json.dumps(each._asdict()) for each in whole}) == 1
    assert summary(4, are_all=False).rows == 4
    files["items"] = "b"
    assert summary(6, are_all=True).rows == 6
    assert asked == [4, 5, 4, 6]
