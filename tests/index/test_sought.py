"""What is left out for a query that denies something, and the search without it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smar.artifacts import Manifest
from smar.index.ann import KIND
from smar.index.hybrid import HybridIndex, write_index
from smar.index.picture_words import PictureWord
from smar.index.sought import Sought, held, search_sought, sought
from smar.index.told_words import ClickWord
from smar.index.words import WordIndex
from smar.models.embeddings import QueryEmbeddings
from tests.index.test_hybrid import make

TEXTS = [
    "red shirt",
    "blue striped shirt",
    "shirt",
    "red striped dress",
    "cola with sugar",
    *["cola sugar free"] * 3,
    "syrup of sugar",
    "juice",
    *["socks"] * 12,
]


@pytest.fixture(scope="module")
def words() -> WordIndex:
    return WordIndex.build(TEXTS)


def test_items_whose_text_has_a_word_in_any_form_are_left_out(words: WordIndex):
    assert sought(words, "shirt not red") == Sought("shirt", ("red",))
    assert sought(words, "shirt not red").rows.tolist() == [0, 3]
    assert sought(words, "shirt without stripes").rows.tolist() == [1, 3]
    assert sought(words, "dress without red stripes").rows.tolist() == [3]
    assert sought(words, "shirt not red or blue").rows.tolist() == [0, 1, 3]


def test_items_whose_pictures_tell_a_word_surely_are_left_out(words: WordIndex):
    told = PictureWord(
        "red",
        np.array([1, 2, 9], np.int32),
        np.array([0.4, 0.5, 0.1], np.float32),
    )
    found = sought(words.with_pictured([told]), "shirt not red")
    assert found.rows.tolist() == [0, 1, 2, 3]


def test_item_that_is_without_by_its_text_stays_and_its_words_are_searched(words: WordIndex):
    found = sought(words, "cola without sugar")
    assert found == Sought("cola without sugar", ("sugar",))
    assert found.rows.tolist() == [4, 8]


def test_what_items_have_tells_others_what_is_left_out(words: WordIndex):
    shown = np.array([1, 2, 9], np.int32), np.array([0.4, 0.5, 0.1], np.float32)
    told = words.with_pictured([PictureWord(words.vocabulary["red"], *shown)])
    told = told.with_clicked([ClickWord("red", shown[0], shown[1], 1.0)])
    has = held(told).toarray().astype(bool)
    assert has.shape == (len(TEXTS), told.num_words)
    texts = [
        "shirt not red",
        "dress without red stripes",
        "cola without sugar",
        "shirt not red or blue",
    ]
    for text in texts:
        found, gone = sought(told, text), np.zeros(len(TEXTS), bool)
        for each in found.without:
            having = [has[:, list(numbers)].any(1) for numbers in each.words]
            gone |= np.all(having, 0) & ~has[:, list(each.unless)].any(1)
        assert np.flatnonzero(gone).tolist() == found.rows.tolist() != []


def test_word_that_stands_there_by_chance_denies_nothing():
    words = WordIndex.build([*TEXTS, "shirt less red"])
    assert sought(words, "shirt not red") == Sought("shirt", ("red",))


def test_word_that_clicks_alone_tell_is_no_part_of_what_is_searched(words: WordIndex):
    told = ClickWord("teal", np.array([2], np.int32), np.array([1.0], np.float32), 1.0)
    found = sought(words.with_clicked([told]), "shirt not teal")
    assert (found, len(found.rows)) == (Sought("shirt", ("teal",)), 0)


def test_few_items_that_are_all_without_stay():
    words = WordIndex.build(["pan non stick", "pan", "pan red", *["socks"] * 9])
    found = sought(words, "pan non stick")
    assert (found, len(found.rows)) == (Sought("pan non stick", ("stick",)), 0)
    found = sought(WordIndex.build(["non stick pan", *["drum stick"] * 2, *["socks"] * 9]),
                   "pan non stick")  # fmt: skip
    assert (found, found.rows.tolist()) == (Sought("pan", ("stick",)), [0, 1, 2])


def test_word_that_every_text_has_denies_nothing():
    shipped = WordIndex.build([f"{text} free shipping" for text in TEXTS])
    assert sought(shipped, "shirt not red") == Sought("shirt", ("red",))
    assert sought(shipped, "shirt not red").rows.tolist() == [0, 3]


def test_title_that_denies_a_word_finds_its_item():
    title = "Women's Peace Not War Peach T-Shirt"
    words = WordIndex.build([title, *["war peach shirt"] * 2, *["socks"] * 4])
    assert sought(words, "women peace not war peach t-shirt") == Sought(
        "women peace not war peach t-shirt"
    )
    assert sought(words, "peach shirt not war").rows.tolist() == [0, 1, 2]
    assert sought(words, "blue peace not war peach t-shirt").rows.tolist() == [0, 1, 2]
    told = ClickWord("blue", np.array([0], np.int32), np.array([1.0], np.float32), 1.0)
    found = sought(words.with_clicked([told]), "blue peace not war peach t-shirt")
    assert found.left_out == ("war",)


@pytest.mark.parametrize(
    "text",
    ["red shirt", "shirt without pockets", "shirt not red or green", "not red", "cola not free"],
)
def test_query_is_searched_as_it_is_where_nothing_is_left_out(words: WordIndex, text: str):
    found = sought(words, text)
    assert (found.text, found.left_out, len(found.rows)) == (text, (), 0)


def test_query_is_searched_as_it_is_where_all_is_left_out_or_in_another_language():
    assert sought(WordIndex.build(["red shirt", "red"]), "shirt not red").text == "shirt not red"
    german = WordIndex.build(TEXTS, stemmer="german")
    assert sought(german, "shirt not red").text == "shirt not red"


def test_shop_of_another_language_denies_in_it():
    texts = ["rotes hemd", "blaues hemd", "limo zucker", *["limo ohne zucker"] * 3, "seife"]
    german = WordIndex.build([*texts, *["socken"] * 12], stemmer="german")
    found = sought(german, "hemd nicht rot")
    assert (found, found.rows.tolist()) == (Sought("hemd", ("rot",)), [0])
    found = sought(german, "limo ohne zucker")
    assert (found, found.rows.tolist()) == (Sought("limo ohne zucker", ("zucker",)), [2])


def test_word_that_the_shop_writes_joined_is_searched_and_its_items_stay():
    pans = ["nonstick pan", "pan that sticks", "nonstick pan, nothing will stick", "pan"]
    found = sought(WordIndex.build(pans), "non stick pan")
    assert (found, found.rows.tolist()) == (Sought("nonstick pan", ("stick",)), [1])
    found = sought(WordIndex.build(["nonstick pan", "pan"]), "non-stick pan")
    assert (found, found.rows.tolist()) == (Sought("nonstick pan", ("stick",)), [])


def test_denial_that_is_switched_off_is_searched_as_typed_and_the_index_carries_it(tmp_path: Path):
    index: HybridIndex = make(60, 0.4)[0]
    assert index.sought("boot not red").left_out == ("red",)
    write_index(tmp_path / "on", index, Manifest(kind=KIND))
    assert HybridIndex.load(tmp_path / "on").negation
    write_index(tmp_path / "off", replace(index, negation=False), Manifest(kind=KIND))
    off = HybridIndex.load(tmp_path / "off")
    assert off.sought("boot not red") == Sought("boot not red")


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_search_is_that_of_what_is_wanted_without_what_is_left_out(share: float):
    index: HybridIndex = make(60, share)[0]
    rng = np.random.default_rng(2)
    vector = rng.standard_normal((3, 8)).astype(np.float32)
    vector /= np.linalg.norm(vector, axis=1, keepdims=True)
    encoded = QueryEmbeddings(vector, rng.random(3, np.float32))
    asked = [index.sought(text) for text in ("boot", "boot not red", "boot without blue")]
    assert [one.text for one in asked] == ["boot"] * 3
    scores, rows = search_sought(index, asked, encoded, 5)
    whole_scores, whole = index.search(["boot"] * 3, encoded, 60)
    for place, one in enumerate(asked):
        kept = ~np.isin(whole[place], one.rows)
        assert rows[place].tolist() == whole[place][kept][:5].tolist()
        assert np.allclose(scores[place], whole_scores[place][kept][:5])
