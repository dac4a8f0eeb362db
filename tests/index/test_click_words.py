"""Words that searches used of items: which are told, what they count, and what stays as it was."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from smar.index import choice
from smar.index.choice import CLICK_WORDS, choose_click_words
from smar.index.click_words import ClickedQueries, Clicks, words_of_clicks
from smar.index.hybrid import HybridIndex
from smar.index.picture_words import PictureWord
from smar.index.told_words import ClickWord
from smar.index.word_files import load_words, write_words
from smar.index.words import WordIndex
from tests.index.test_choice import query_set
from tests.index.test_hybrid import QUERIES, encoded, make

TEXTS = ["acme red dress", "acme dress", "zeta lamp", "zeta red lamp red"]


def clicks_of(rows: Sequence[int], queries: Sequence[str]) -> Clicks:
    """Return clicks, each given as the row of an item and its query."""
    ids = [str(number) for number in range(len(queries))]
    items = pd.DataFrame({"item_id": [str(row) for row in range(max(rows, default=0) + 1)]})
    asked = pd.DataFrame({"query_id": ids, "query": list(queries), "split": "train"})
    clicked = pd.DataFrame({"query_id": ids, "item_id": [str(row) for row in rows]})
    return Clicks.of(items, asked, clicked)


def searched(words: WordIndex, rows: list[int], queries: list[str]) -> ClickedQueries:
    return ClickedQueries.of(clicks_of(rows, queries), words.stemmer)


def told(words: WordIndex, rows: list[int], queries: list[str], weight: float = 1.0) -> dict:
    """Return what is told by word: the rows, and what the word counts in each."""
    found = words_of_clicks(words, searched(words, rows, queries))
    index = words.with_clicked(found, weight)
    return {
        each.word: dict(zip(*index.postings.of(column), strict=True))
        for each, column in zip(found, index.clicked.values(), strict=True)
    }


def test_a_word_counts_by_the_root_of_its_share_of_queries_above_that_of_all():
    words = WordIndex.build(TEXTS)
    queries = ["red dress", "red", "dress", "acme dress", "lamp red"]
    found = told(words, [1, 1, 1, 1, 2], queries)
    typical = words.item_weights()[:, [words.vocabulary["red"]]].data.mean()
    assert set(found) == {"red"}  # the others are in the texts, and it is in 3 of 5 queries
    assert found["red"] == pytest.approx({2: typical * (1 - 3 / 5) ** 0.5})
    found = told(words, [1, 1, 2, 2], ["red dress", "dress", "lamp", "zeta lamp"])
    assert found["red"] == pytest.approx({1: typical * (1 / 2 - 1 / 4) ** 0.5})
    half = told(words, [1, 1, 2, 2], ["red dress", "dress", "lamp", "zeta lamp"], 0.5)
    assert half["red"] == pytest.approx({1: found["red"][1] / 2})


def test_a_query_that_is_asked_again_says_nothing_new():
    words = WordIndex.build(TEXTS)
    queries = ["red dress", "dress", "lamp", "zeta"]
    once = told(words, [1, 1, 2, 2], queries)
    assert set(once) == {"red"}
    assert told(words, [1, 1, 2, 2, 1, 1], [*queries, "red dress", "red dress"]) == once


def test_a_word_of_no_text_is_told_where_five_queries_have_it_and_counts_as_the_rarest():
    words = WordIndex.build(TEXTS)
    queries = [f"teal {other}" for other in ("dress", "acme", "lamp", "zeta", "red")]
    queries += ["lamp", "zeta", "zeta lamp", "lamp acme", "acme"]
    assert "teal" not in told(words, [1] * 4 + [2] * 5, queries[:4] + queries[5:])
    weights, (idf, unknown) = words.item_weights().tocoo(), words.idf()
    rarest = unknown * (weights.data / idf[weights.col]).mean()
    found = told(words, [1] * 5 + [2] * 5, queries)["teal"]
    assert found == pytest.approx({1: rarest * (1 - 1 / 2) ** 0.5})


@pytest.mark.parametrize(("rows", "weight"), [([], 1.0), ([1], 0.0)])
def test_nothing_is_told_without_clicks_or_weight(rows: list[int], weight: float):
    words = WordIndex.build(TEXTS)
    told = words_of_clicks(words, searched(words, rows, ["red"] * len(rows)))
    assert words.with_clicked(told, weight) is words
    assert words.with_clicked([]) is words


def test_clicks_are_those_of_training_on_items_that_are_there():
    queries = pd.DataFrame(
        {"query_id": ["a", "b"], "query": ["red", "teal"], "split": ["train", "test"]}
    )
    engagements = pd.DataFrame({"query_id": ["a", "a", "b"], "item_id": ["2", "gone", "2"]})
    items = pd.DataFrame({"item_id": ["1", "2"]})
    found = Clicks.of(items, queries, engagements)
    assert (found.rows.tolist(), found.numbers.tolist()) == ([1], [0])
    assert found.queries.to_pylist() == ["red"]


def clicked() -> tuple[WordIndex, WordIndex]:
    """Return an index whose second and third item pictures call red, and with words of clicks.

    Clicks call the second item red and teal.
    """
    words = WordIndex.build(TEXTS)
    rows, weights = np.array([1, 2], np.int32), np.array([0.25, 0.5], np.float32)
    pictured = words.with_pictured([PictureWord("red", rows, weights)])
    second = np.array([1], np.int32)
    of_clicks = [
        ClickWord(word, second, np.array([weight], np.float32), 0.5)
        for word, weight in (("teal", 0.125), ("red", 0.375))
    ]
    return words, pictured.with_clicked(of_clicks)


def test_words_of_clicks_count_beside_those_of_texts_and_pictures_up_to_a_most():
    words, more = clicked()
    idf, unknown = words.idf()
    red, rows = idf[words.vocabulary["red"]], np.array([1, 2, 3])
    assert more.shares("red")[[1, 2]] == pytest.approx(np.array([0.5, 0.5]) / red)
    assert more.shares("red")[[0, 3]] == pytest.approx(words.shares("red")[[0, 3]])
    assert more.shares("teal") == pytest.approx(np.array([0, 0.125, 0, 0]) / unknown)
    assert more.searched("red teal lamp", rows) == [["red", "teal"], [], []]
    assert more.pictured("red teal lamp", rows) == [["red"], ["red"], []]
    assert more.matched("red teal lamp", rows) == [[], ["lamp"], ["red", "lamp"]]
    assert more.best("teal", 4)[0].tolist() == [1]


def test_a_word_of_no_text_is_of_pictures_and_of_clicks_alike():
    words = WordIndex.build(TEXTS)
    rows, weights = np.array([1, 2], np.int32), np.array([0.25, 0.5], np.float32)
    pictured = words.with_pictured([PictureWord("teal", rows, weights)])
    of_clicks = [
        ClickWord(word, rows[:1], np.array([0.375], np.float32), 0.5) for word in ("plum", "teal")
    ]
    more = pictured.with_clicked(of_clicks)
    unknown = words.idf()[1]
    assert pictured.shares("teal") == pytest.approx(np.array([0, 0.25, 0.5, 0]) / unknown)
    assert more.shares("teal") == pytest.approx(np.array([0, 0.5, 0.5, 0]) / unknown)
    assert more.shares("plum") == pytest.approx(np.array([0, 0.375, 0, 0]) / unknown)
    assert more.shares("red") == pytest.approx(words.shares("red"))
    assert more.of_texts().vocabulary == words.vocabulary


def test_what_texts_say_stays():
    words, more = clicked()
    alone = more.of_texts()
    assert alone.vocabulary == words.vocabulary
    for query in ("red dress", "teal dress", "zzz"):
        assert (alone.shares(query) == words.shares(query)).all()
    assert more.idf()[0][: words.num_words].tolist() == words.idf()[0].tolist()
    assert more.query_weights("teal red")["red"] == words.query_weights("teal red")["red"]


def test_shares_are_the_product_of_sparse_weights_and_those_of_compiled_code():
    more = clicked()[1]
    items, queries = more.item_weights().tocsr(), ("red teal dress", "teal", "lamp red red")
    shares = [more.shares(query) for query in queries]
    for query, share in zip(queries, shares, strict=True):
        vector = np.zeros(len(more.vocabulary))
        for word, weight in more.query_weights(query).items():
            vector[more.vocabulary[word]] = weight
        assert items @ vector == pytest.approx(share, abs=1e-7)
    more.hasten()
    for query, share in zip(queries, shares, strict=True):
        rows, found = more.best(query, 4)
        assert found == pytest.approx(share[rows])
        assert len(rows) == np.count_nonzero(share)


def test_words_of_clicks_are_kept(tmp_path: Path):
    more = clicked()[1]
    write_words(more, tmp_path)
    again = load_words(tmp_path, len(TEXTS))
    assert again.vocabulary == more.vocabulary
    for query in ("red", "teal", "red teal dress"):
        assert (again.shares(query) == more.shares(query)).all()
    assert again.searched("teal", np.array([1])) == [["teal"]]
    assert again.of_texts().vocabulary == clicked()[0].vocabulary


@pytest.mark.parametrize("helps", [True, False])
def test_clicks_are_weighed_by_queries_that_no_training_has_seen(helps: bool):
    """Each query asks for one item, which vectors and texts do not find and a click may tell."""
    index, _ = make(60, 0.7)
    far = encoded()
    wanted = [
        int(np.setdiff1d(np.arange(60), index.search(QUERIES, far, 20)[1][row])[row])
        for row in range(len(QUERIES))
    ]
    led = wanted if helps else [(row + 1) % 60 for row in wanted]

    def words(weight: float) -> WordIndex:
        found = words_of_clicks(index.words, searched(index.words, led, list(QUERIES)))
        return index.words.with_clicked(found, weight)

    relevant = np.zeros((len(QUERIES), 60))
    relevant[np.arange(len(QUERIES)), wanted] = 1
    chosen_by = query_set(csr_matrix(relevant))
    chosen, found = choose_click_words(index, words, chosen_by, lambda _: far, 5, seed=0)
    assert set(found) == set(CLICK_WORDS)
    assert (max(found.values()) > found[0.0]) is helps
    assert helps or not chosen
    without = query_set(csr_matrix((0, 60)))
    assert choose_click_words(index, words, without, lambda _: far, 5, seed=0) == (0.0, {})


@pytest.mark.parametrize(("gains", "chosen"), [((1, 1, 1, 0), 1.0), ((1, 0, 0, 0), 0.0)])
def test_clicks_count_where_they_gain_more_than_two_standard_errors(
    monkeypatch: pytest.MonkeyPatch, gains: tuple[int, ...], chosen: float
):
    """Means of .75 and .25, both with an error of .22."""
    index, _ = make(60, 0.7)

    def recalls(_: object, tried: Iterable[HybridIndex], *__: object) -> NDArray[np.float64]:
        clicked = [float(len(each.words.clicked)) for each in tried]
        return np.array(gains)[:, None] * np.array(clicked)

    def words(weight: float) -> WordIndex:
        told = (
            [ClickWord("zeta", np.array([1], np.int32), np.ones(1, np.float32), 1.0)]
            if weight == 1
            else []
        )
        return index.words.with_clicked(told)

    monkeypatch.setattr(choice, "_rows_of", lambda tried, *_: tried)
    monkeypatch.setattr(choice, "_metric_of", recalls)
    asked = query_set(csr_matrix(np.ones((len(gains), 60))))
    found = choose_click_words(index, words, asked, lambda _: encoded(), 5, seed=0)
    assert found == (chosen, {0.0: 0.0, 0.5: 0.0, 1.0: pytest.approx(np.mean(gains))})


MIXED = ["red", "WH-1000XM4", "wh1000xm4", "iphone8", "iphone 8", "256gb", "sofas", "teal", "ab12"]


def slowly(index: WordIndex, rows: list[int], queries: list[str]) -> dict[str, dict[int, float]]:
    """Return what `words_of_clicks` says, one click and one word at a time."""
    each, own = list(dict.fromkeys(queries)), index.item_weights().toarray()
    asked = {
        query: {word for first, known in index.forms(query) for word in (known or [first])}
        for query in each
    }
    found: dict[str, dict[int, float]] = {}
    names = {number: word for word, number in index.vocabulary.items()}
    idf, unknown = index.idf()
    by_idf = np.mean([own[i, w] / idf[w] for i, w in zip(*own.nonzero(), strict=True)])
    for word in sorted({word for words in asked.values() for word in words}, key=str):
        is_known, share = not isinstance(word, str), sum(word in asked[q] for q in each)
        typical = own[:, word][own[:, word] > 0].mean() if is_known else unknown * by_idf
        for row in set(rows):
            led = {query for at, query in zip(rows, queries, strict=True) if at == row}
            above = sum(word in asked[query] for query in led) / len(led) - share / len(each)
            if above <= 0 or (is_known and own[row, word]) or (not is_known and share < 5):
                continue
            name = names[word] if is_known else word
            found.setdefault(name, {})[row] = above**0.5 * typical
    return found


@pytest.mark.parametrize("seed", range(10))
def test_words_of_clicks_are_those_of_one_click_after_the_other(seed: int):
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(MIXED[:-2], rng.integers(1, 4))) for _ in range(20)]
    index = WordIndex.build(texts, [["AB12"] if row % 3 else [] for row in range(20)])
    queries = [" ".join(rng.choice(MIXED, rng.integers(1, 4))).lower() for _ in range(80)]
    rows = rng.integers(0, 20, 80).tolist()
    found = {
        each.word: dict(zip(each.rows.tolist(), each.weights.tolist(), strict=True))
        for each in words_of_clicks(index, searched(index, rows, queries))
    }
    expected = slowly(index, rows, queries)
    assert set(found) == set(expected)
    for word, weights in expected.items():
        assert found[word] == pytest.approx(weights, rel=1e-5)


def test_words_of_no_text_stand_as_queries_have_them_one_after_the_other():
    index = WordIndex.build(TEXTS)
    queries = ["plum red", "kiwi plum", "red", "beryl kiwi"]
    assert searched(index, [0] * 4, queries).others(index.vocabulary) == ["plum", "kiwi", "beryl"]


def test_clicks_of_one_text_in_two_rows_of_the_table_are_of_one_query():
    queries = pa.table(
        {"query_id": ["a", "b", "c"], "query": ["red", "teal", "red"], "split": ["train"] * 3}
    )
    engagements = pa.table({"query_id": ["c", "b", "a"], "item_id": ["1", "2", "2"]})
    found = Clicks.of(pa.table({"item_id": ["1", "2"]}), queries, engagements)
    assert found.queries.to_pylist() == ["red", "teal"]
    assert (found.rows.tolist(), found.numbers.tolist()) == ([0, 1, 1], [0, 1, 0])
