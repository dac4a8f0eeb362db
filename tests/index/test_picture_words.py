"""Words that pictures tell: which are found, in which items, and what they count."""

from dataclasses import replace

import numpy as np
import pytest

from smar.index import picture_words
from smar.index.click_words import ClickedQueries, words_of_clicks
from smar.index.picture_colours import COLOURS as SHADES
from smar.index.picture_words import Pictured, PictureWord, words_of_pictures
from smar.index.words import WordIndex
from tests.index.test_click_words import clicks_of

NONE = clicks_of([], [])
COLOURS = ("red", "teal", "pink")


def shop(size: int = 400, untold: float = 0.5, *, seed: int = 0) -> tuple[list[str], Pictured]:
    """Return texts of dresses and lamps of three colours, which pictures show and some name.

    S_i has the colour, the type and noise, pixels have the colour and noise. Every item was clicked
    for its colour and type, and for its brand, of which pictures show nothing.
    """
    rng = np.random.default_rng(seed)
    colour, kind, brand = (rng.integers(0, most, size) for most in (3, 2, 2))
    image = rng.normal(0, 0.3, (size, 6)).astype(np.float32)
    image[np.arange(size), colour] += 1
    image[:, 3] += 2 * kind - 1
    image /= np.linalg.norm(image, axis=1, keepdims=True)
    names_it = rng.random(size) > untold
    kinds, brands = ("dress", "lamp"), ("acme", "zeta")
    texts = [
        " ".join([brands[b], *([COLOURS[c]] if told else []), kinds[k]])
        for b, c, k, told in zip(brand, colour, kind, names_it, strict=True)
    ]
    queries = [f"{COLOURS[c]} {kinds[k]}" for c, k in zip(colour, kind, strict=True)]
    queries += [brands[b] for b in brand]
    colours = np.zeros((size, SHADES), np.uint8)
    colours[:, :6] = rng.integers(0, 150, (size, 6))
    colours[np.arange(size), colour] += 100
    return texts, Pictured(
        image=image,
        colours=colours,
        categories=[kinds[k] for k in kind],
        brands=[brands[b] for b in brand],
        clicks=clicks_of([*range(size), *range(size)], queries),
    )


def asked(given: Pictured) -> list[str]:
    """Return the query of each click."""
    queries = given.clicks.queries.to_pylist()
    return [queries[number] for number in given.clicks.numbers]


def names(told: list[PictureWord]) -> set[str]:
    return {each.word for each in told}


def test_colours_are_told_and_what_texts_say_or_no_picture_shows_is_not():
    texts, given = shop()
    words = WordIndex.build(texts)
    told = words_of_pictures(words, given, 0.5, 7)
    assert names(told) == set(COLOURS)
    for word in told:
        name = word.word
        assert not any(name in texts[row].split() for row in word.rows)
        is_shown = np.array([query.startswith(name) for query in asked(given)[: len(texts)]])
        lacks = np.array([name not in text for text in texts])
        assert word.weights[is_shown[word.rows]].sum() > 0.9 * word.weights.sum()
        assert is_shown[word.rows].sum() > 0.9 * (is_shown & lacks).sum()


def test_without_a_log_texts_alone_teach_and_brands_are_no_words_of_pictures():
    texts, given = shop()
    words = WordIndex.build(texts)
    alone = replace(given, clicks=NONE)
    assert names(words_of_pictures(words, alone, 0.5, 7)) == set(COLOURS)
    named = [text.replace("red", "") for text in texts]
    brands = ["red" if "red" in text else "" for text in texts]  # the word is a brand's
    alone = replace(given, brands=brands, clicks=NONE)
    words = WordIndex.build([f"{b} {text}" for b, text in zip(brands, named, strict=True)])
    assert "red" not in names(words_of_pictures(words, alone, 0.5, 7))


def test_a_word_counts_the_less_the_surer_it_is_not_and_never_more_than_its_weight():
    texts, given = shop()
    words = WordIndex.build(texts)
    own = words.item_weights()
    for word, half in zip(
        words_of_pictures(words, given, 1.0, 7),
        words_of_pictures(words, given, 0.5, 7),
        strict=True,
    ):
        mean = own[:, [words.vocabulary[word.word]]].data.mean()
        assert 0 < word.weights.min() < word.weights.max() <= mean * (1 + 1e-6)
        assert np.allclose(word.weights, 2 * half.weights)


@pytest.mark.parametrize("which", ["nothing", "few pictures", "no pictures", "noise"])
def test_no_word_is_told_where_nothing_can_be_learned(which: str):
    texts, given = shop(untold=0.5)
    image, colours, weight = given.image.copy(), given.colours, 0.5
    if which == "nothing":
        weight = 0.0
    elif which == "few pictures":
        image[9:] = 0
    elif which == "no pictures":
        image[:] = 0
    else:
        order = np.random.default_rng(1).permutation(len(image))
        image, colours = image[order], colours[order]
    changed = replace(given, image=image, colours=colours)
    assert words_of_pictures(WordIndex.build(texts), changed, weight, 7) == []


def test_items_without_a_picture_get_no_word():
    texts, given = shop()
    given.image[::2] = 0
    for word in words_of_pictures(WordIndex.build(texts), given, 0.5, 7):
        assert len(word.rows)
        assert (word.rows % 2 == 1).all()


def wordless(size: int = 400, slips: int = 0) -> tuple[WordIndex, Pictured]:
    """Return the shop whose texts name no teal, and clicks for it on half of what is teal.

    So many of these write it "tael".
    """
    texts, given = shop(size)
    queries = [f"{query} {row}" for row, query in enumerate(asked(given))]  # no two alike
    rows = given.clicks.rows.tolist()
    of_teal = [row for row, query in enumerate(queries) if query.startswith("teal")]
    for row in of_teal[::2]:
        rows[row], queries[row] = 0, "lamp"
    for row in of_teal[1::2][:slips]:
        queries[row] = queries[row].replace("teal", "tael")
    words = WordIndex.build([text.replace("teal ", "") for text in texts])
    return words, replace(given, clicks=clicks_of(rows, queries))


def test_a_word_of_no_text_is_learned_from_clicks_and_told_of_what_nobody_clicked():
    words, given = wordless()
    clicks = words_of_clicks(words, ClickedQueries.of(given.clicks, words.stemmer))
    clicked = next(each for each in clicks if each.word == "teal")
    assert "teal" not in names(words_of_pictures(words, given, 0.5, 7))
    told = words_of_pictures(words, given, 0.5, 7, clicked=clicks)
    teal = next(each for each in told if each.word == "teal")
    is_teal = np.array([query.startswith("teal") for query in asked(shop()[1])[: len(words)]])
    assert is_teal[teal.rows].sum() > 0.9 * is_teal.sum() > len(clicked.rows)
    assert teal.weights[is_teal[teal.rows]].sum() > 0.8 * teal.weights.sum()
    assert teal.weights.max() <= 0.5 * clicked.most * (1 + 1e-6)
    more = words.with_pictured(told)
    assert set(more.best("teal", len(words))[0]) == set(teal.rows)
    assert more.pictured("teal lamp", teal.rows[:1].astype(np.int64)) == [["teal"]]
    assert more.of_texts().vocabulary == words.vocabulary


@pytest.mark.parametrize("slips", [10, 40])
def test_a_slip_of_a_word_is_none_of_pictures(slips: int):
    words, given = wordless(800, slips)
    told = words_of_pictures(
        words,
        given,
        0.5,
        7,
        clicked=words_of_clicks(words, ClickedQueries.of(given.clicks, words.stemmer)),
    )
    assert ("tael" in names(told)) == (slips == 40)  # a third of them is a word of its own


def test_five_items_suffice_for_a_colour_that_is_plain_to_see():
    texts, given = shop()
    colours, own = given.colours.copy(), {}
    for word, rows in (("khaki", range(0, 400, 40)), ("okra", range(7, 400, 40))):
        own[word] = np.array(rows)
        for row in own[word][::2]:  # five of ten say so
            texts[row] += f" {word}"
    colours[own["khaki"], :3], colours[own["khaki"], 20] = 0, 250
    alone = replace(given, colours=colours, clicks=NONE)
    words = WordIndex.build(texts)
    told = {w.word: w for w in words_of_pictures(words, alone, 0.5, 7)}
    assert "okra" not in told  # as many items, and no picture shows it
    assert set(own["khaki"][1::2]) == set(told["khaki"].rows)


def test_few_items_that_look_alike_by_chance_give_no_word():
    texts, given = shop()
    rng = np.random.default_rng(3)
    made = ["".join(letters) for letters in rng.choice([*"bcdfgk"], (200, 8))]
    for word in made:
        for row in rng.choice(len(texts), 5, replace=False):
            texts[row] += f" {word}"
    words = WordIndex.build(texts, stemmer="none")
    alone = replace(given, clicks=NONE)
    told = names(words_of_pictures(words, alone, 0.5, 7))
    assert set(COLOURS) <= told
    assert len(told & set(made)) < 10  # of 200; their AUC alone lets 16 pass


@pytest.mark.parametrize(("many", "kinds"), [(3, {"dress"}), (1, {"dress", "lamp"})])
def test_a_word_of_few_kinds_is_not_told_of_others(
    many: int, kinds: set[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(picture_words, "_MANY", many)
    texts, given = shop(untold=0.3)
    texts = [text if "dress" in text else text.replace("red", "") for text in texts]
    words = WordIndex.build(texts)
    alone = replace(given, clicks=NONE)
    told = {w.word: w for w in words_of_pictures(words, alone, 0.5, 7)}
    assert {given.categories[row] for row in told["red"].rows} == kinds


def test_without_known_colours_words_are_told_by_s_i():
    texts, given = shop()
    blind = replace(given, colours=given.colours[:, :0])
    words = WordIndex.build(texts)
    assert names(words_of_pictures(words, blind, 0.5, 7)) == set(COLOURS)


def test_blocks_of_items_change_nothing(monkeypatch: pytest.MonkeyPatch):
    texts, given = shop()
    words = WordIndex.build(texts)
    whole = words_of_pictures(words, given, 0.5, 7)
    monkeypatch.setattr(picture_words, "_BLOCK", 7)
    for one, other in zip(words_of_pictures(words, given, 0.5, 7), whole, strict=True):
        assert one.word == other.word
        assert (one.rows == other.rows).all()
        assert np.allclose(one.weights, other.weights, rtol=1e-6)
