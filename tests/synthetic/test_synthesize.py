"""Synthetic queries: where their words come from, how many there are, and what they never are."""

from random import Random

import pandas as pd
import pyarrow as pa
import pytest

from smar.data.stems import bag_of_stems
from smar.params import SynthesizeParams
from smar.params.kinds import GENERATORS
from smar.synthetic.drawn import WRITTEN
from smar.synthetic.generators import build_generator
from smar.synthetic.synthesize import COLUMNS, Synthesis
from smar.synthetic.words import ItemWords, item_words


def params(**changes: object) -> SynthesizeParams:
    settings = {
        "ratio": 100, "max_per_item": 20, "min_tokens": 1, "max_tokens": 3,
        "shares": {"substring": 0.5, "field": 0.2, "attributes": 0.3}, "validation_frac": 0.1,
    }  # fmt: skip
    return SynthesizeParams(**settings | changes)


@pytest.fixture
def items() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item_id": ["a", "b", "c"],
            "title": ["Red leather ankle boot with zip", "Blue canvas bag", "Sofa"],
            "brand": ["Acme", "", "Fjord"],
            "category": ["Shoes > Boots", "Bags", ""],
            "attributes": ["gender: women; size: 39", "", ""],
        }
    )


def queries(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["query", "split"])


def batches(items: pd.DataFrame, rows: int) -> list[pa.RecordBatch]:
    return pa.Table.from_pandas(items[[*COLUMNS]], preserve_index=False).to_batches(rows)


def synthesize(
    items: pd.DataFrame, real: pd.DataFrame, settings: SynthesizeParams, seed: int, rows: int = 2
) -> pd.DataFrame:
    made = Synthesis(real, len(items), settings, seed).batches(batches(items, rows))
    return pa.Table.from_batches(list(made), WRITTEN).to_pandas()


WORDS = item_words("Red leather ankle boot", "Acme", "Shoes > Boots", "gender: women; size: 39")


def test_words_of_an_item_come_by_field():
    assert WORDS.title == ["red", "leather", "ankle", "boot"]
    assert WORDS.fields == [["acme"], ["boots"], ["women"], ["39"]]


def draw(kind: str, item: ItemWords, rng: Random, shortest: int, longest: int) -> list[str]:
    return build_generator(kind, GENERATORS[kind].params())(item, rng, shortest, longest)


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_generators_use_the_items_own_words(name: str):
    rng = Random(0)
    own = {*WORDS.title, *(word for field in WORDS.fields for word in field)}
    for _ in range(200):
        drawn = draw(name, WORDS, rng, 1, 3)
        assert 1 <= len(drawn) <= 3
        assert set(drawn) <= own


def test_substrings_are_contiguous():
    rng = Random(0)
    title = " ".join(WORDS.title)
    drawn = {" ".join(draw("substring", WORDS, rng, 1, 4)) for _ in range(300)}
    assert all(text in title for text in drawn)
    assert len(drawn) == 4 + 3 + 2 + 1


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_generators_serve_a_one_word_item(name: str):
    assert draw(name, item_words("Sofa", "", "", ""), Random(0), 2, 4) == ["sofa"]


def test_synthetic_queries_never_have_the_stems_of_a_held_out_query(items: pd.DataFrame):
    held_out = queries(
        ("red leather", "test"), ("acme", "validation"), ("sofas", "trial"), ("blue", "train")
    )
    synthesis = Synthesis(held_out, len(items), params(), seed=1)
    made = [text for b in synthesis.batches(batches(items, 3)) for text in b["query"].to_pylist()]
    assert not set(made) & {"red leather", "leather red", "acme", "sofa"}
    assert "blue" in made
    assert synthesis.dropped["stems of a held-out query"] > 0


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_how_many_items_are_held_at_once_changes_nothing(items: pd.DataFrame, rows: int):
    whole = synthesize(items, queries(), params(), seed=1, rows=100)
    assert synthesize(items, queries(), params(), seed=1, rows=rows).equals(whole)


def test_what_was_made_is_counted(items: pd.DataFrame):
    synthesis = Synthesis(queries(), len(items), params(validation_frac=0.3), seed=1)
    made = pa.Table.from_batches(list(synthesis.batches(batches(items, 1)))).to_pandas()
    assert synthesis.kinds == made["kind"].value_counts().to_dict()
    assert synthesis.splits == made["split"].value_counts().to_dict()


def test_synthetic_pairs_are_distinct_and_within_bounds(items: pd.DataFrame):
    made = synthesize(items, queries(), params(max_per_item=10), seed=1)
    assert not made.duplicated(["query", "item_id"]).any()
    assert made.groupby("item_id").size().max() <= 10
    assert made["query"].str.split().str.len().max() <= 3


def test_ratio_is_per_real_training_query(items: pd.DataFrame):
    real = queries(("x", "train"), ("y", "train"), ("z", "test"))
    made = synthesize(items, real, params(ratio=6, max_per_item=100), seed=1)
    assert made.groupby("item_id").size().max() == 4  # 6 x 2 / 3 items


def test_ratio_zero_makes_none(items: pd.DataFrame):
    assert synthesize(items, queries(), params(ratio=0), seed=1).empty


def test_a_text_lies_in_one_split(items: pd.DataFrame):
    doubled = pd.concat([items, items.assign(item_id=["d", "e", "f"])], ignore_index=True)
    made = synthesize(doubled, queries(), params(validation_frac=0.3), seed=1)
    assert made.groupby(made["query"].map(bag_of_stems))["split"].nunique().max() == 1
    assert set(made["split"]) == {"train", "validation"}


def test_an_items_queries_do_not_depend_on_the_rest_of_the_catalogue(items: pd.DataFrame):
    whole = synthesize(items, queries(), params(), seed=1)
    alone = synthesize(items[1:2], queries(), params(), seed=1)
    assert whole[whole["item_id"] == "b"].reset_index(drop=True).equals(alone)


def test_shares_that_do_not_add_up_to_one_are_refused():
    with pytest.raises(ValueError, match=r"the shares add up to 0\.9, expected 1"):
        params(shares={"substring": 0.7, "field": 0.2})


def test_attribute_value_keeps_what_stands_before_its_own_colon():
    words = item_words("Boot", "", "", "size: EU: 42; waterproof")
    assert words.fields == [["eu", "42"], ["waterproof"]]
