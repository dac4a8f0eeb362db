"""Words that exclude each other: which do, and what a search makes of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from smar.artifacts import Manifest
from smar.errors import ArtifactError
from smar.index.ann import gated_queries
from smar.index.choice import EXCLUSIVE_WORDS, choose_exclusive_words
from smar.index.exclusive_words import ExclusiveWords
from smar.index.explain import explain
from smar.index.hybrid import HybridIndex, write_index
from smar.index.told_words import ClickWord
from smar.index.words import WordIndex
from smar.models.embeddings import QueryEmbeddings
from tests.index.test_choice import query_set
from tests.index.test_hybrid import QUERIES, WORDS, encoded, make

SIZE = 60


def clicked(word: str, rows: range | list[int], weight: float = 0.5) -> ClickWord:
    """Return a word that clicks give items, half of what it counts in a text."""
    return ClickWord(word, np.array(rows, np.int32), np.full(len(rows), weight, np.float32), 1.0)


def shop(categories: list[str] | None = None) -> tuple[WordIndex, ExclusiveWords]:
    """Return 60 shirts: clicks call 20 red, 20 blue and one both, and every other of all warm."""
    words = WordIndex.build(["plain shirt"] * 50 + ["red shirt"] * 10)
    told = [
        clicked("red", range(20)),
        clicked("blue", range(19, 40)),
        clicked("warm", range(0, SIZE, 2)),
        clicked("teal", range(40, 49)),  # of too few items
    ]
    return words, ExclusiveWords.of(words, told, categories or ["shirts"] * SIZE)


def table(words: ExclusiveWords) -> np.ndarray:
    """Return how surely each item has each word, [N, W]."""
    shape = len(words.starts) - 1, len(words.places)
    return csr_matrix((words.strengths, words.numbers, words.starts), shape).toarray()


def test_words_exclude_each_other_by_how_seldom_items_have_both():
    _, found = shop()
    red, blue, warm = (found.places[word] for word in ("red", "blue", "warm"))
    assert set(found.places) == {"red", "blue", "warm"}
    # Clicks tell something of 50 items: 20 are red by these and five by their texts, 21 blue.
    expected = 25 * 21 / 50
    assert found.excludes[red, blue] == pytest.approx(1 - (1 + 5) / (expected + 5))
    assert (found.excludes == found.excludes.T).all()
    assert found.excludes[warm].tolist() == [0, 0, 0]
    assert np.diag(found.excludes).tolist() == [0, 0, 0]


def test_what_is_never_expected_together_excludes_nothing():
    """In two categories of one colour each a word of the other is not missed."""
    _, found = shop(["a"] * 20 + ["b"] * 20 + ["c"] * 20)
    assert not found.excludes.any()


def test_an_item_has_the_words_of_its_text_and_the_sure_ones_of_its_clicks():
    words = WordIndex.build(["red shirt", *["shirt"] * 19])
    told = [clicked("red", range(1, 20), 0.6), clicked("blue", range(20), 0.29)]
    found = ExclusiveWords.of(words, told, ["shirts"] * 20)
    assert table(found).ravel() == pytest.approx([1.0, *[0.6] * 19])
    assert list(found.places) == ["red"]


def test_what_speaks_against_items_is_a_slow_sum_over_the_querys_words():
    words, found = shop()
    found = replace(found, weight=0.5)
    idf, unknown = words.idf()
    has, rows = table(found), np.random.default_rng(0).permutation(SIZE)[:30]
    for query in ("blue shirt", "red blue shirt", "warm red", "zzz blue", "plain shirt"):
        parts = {w: idf[n] for w, n in words.vocabulary.items() if w in query.split()}
        reachable = sum(parts.values()) + unknown * sum(
            word not in words.vocabulary for word in query.split()
        )
        expected = np.zeros(SIZE)
        for word, part in parts.items():
            if word in found.places:
                place = found.places[word]
                others = (found.excludes[place] * has).max(1)
                expected += 0.5 * part / reachable * others * (1 - has[:, place])
        against = found.against(words, query, rows)
        assert against == pytest.approx(expected[rows], abs=1e-6)
        assert found.hastened().against(words, query, rows).tobytes() == against.tobytes()
    assert found.against(words, "red shirt", np.arange(20, 40)).min() > 0
    assert not found.against(words, "red shirt", np.arange(19)).any()
    both, blue = found.against(words, "red shirt", np.array([19, 20]))
    assert both == pytest.approx(blue / 2)  # half as sure that it is none
    assert not found.against(words, "red shirt", np.arange(0)).any()


def test_words_that_speak_against_an_item_are_named_as_the_query_writes_them():
    words, found = shop()
    rows = np.array([0, 25, 55])  # called red; called blue; red by its text
    assert found.excluded(words, "red warm shirts", rows) == [[], ["red"], []]
    assert found.excluded(words, "blue shirt", rows) == [["blue"], [], ["blue"]]
    assert found.excluded(words, "zzz", rows) == [[], [], []]


def test_without_clicks_nothing_excludes_anything():
    words = WordIndex.build(["red shirt"] * 20)
    found = ExclusiveWords.of(words, [], ["shirts"] * 20)
    assert not found.against(words, "red shirt", np.arange(20)).any()


def excluding(share: float, size: int = SIZE) -> tuple[HybridIndex, np.ndarray]:
    """Return an index over items that searches call red, blue or women's in turn, and its rows."""
    index, items = make(size, share)
    rng = np.random.default_rng(0)
    words = WordIndex.build([" ".join(rng.choice(WORDS[2:4], 2)) for _ in range(size)])
    called = enumerate(["red", "blue", "women"])
    told = [clicked(word, range(first, size, 3), 0.9) for first, word in called]
    exclusive = ExclusiveWords.of(words, told, [""] * size)
    return replace(index, words=words.with_clicked(told), exclusive=exclusive), items


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_search_is_the_mixture_less_what_speaks_against_items(share: float):
    index, items = excluding(share)
    assert index.exclusive is not None
    assert index.exclusive.excludes.any()
    queries = encoded()
    similarity = gated_queries(queries.vector, queries.gate) @ items.T
    everything = np.arange(SIZE)
    words = np.stack(
        [
            index.words.shares(text) - index.exclusive.against(index.words, text, everything)
            for text in QUERIES
        ]
    )
    expected = (1 - share) * similarity + share * words
    scores, rows = index.search(QUERIES, queries, 10)
    assert (rows == np.argsort(-expected, axis=1, kind="stable")[:, :10]).all()
    assert np.allclose(scores, np.take_along_axis(expected, rows, 1), atol=1e-6)
    one = QueryEmbeddings(queries.vector[:1], queries.gate[:1])
    parts = explain(index, QUERIES[0], one, rows[0], None)
    assert parts.text + parts.picture + parts.words == pytest.approx(scores[0], abs=1e-6)
    against = index.exclusive.against(index.words, QUERIES[0], rows[0])
    assert [bool(words) for words in parts.excluded] == (against > 0).tolist()


def test_an_item_beyond_the_best_by_words_is_scored_less_what_speaks_against_it():
    """Of 900 boots 200 are looked at by vectors and 200 by words, before all that may be found."""
    index, _ = excluding(0.9, 900)
    words = WordIndex.build(["boot"] * 899 + ["red boot blue acme sandal women"])
    index = replace(index, words=words)
    scores, rows = index.search(QUERIES, encoded(), 180)
    every, all_rows = index.search(QUERIES, encoded(), 900)
    assert (rows[0] == all_rows[0, :180]).all()  # all have a word of "red boot"
    assert scores[0] == pytest.approx(every[0, :180])


def test_it_is_kept_beside_the_words(tmp_path: Path):
    index, _ = excluding(0.3)
    index = replace(index, exclusive=replace(index.exclusive, weight=0.5))
    write_index(tmp_path / "index", index, Manifest(kind="index"))
    loaded = HybridIndex.load(tmp_path / "index")
    assert loaded.exclusive is not None
    assert loaded.exclusive.weight == 0.5
    assert loaded.exclusive.places == index.exclusive.places
    for name in ("excludes", "starts", "numbers", "strengths"):
        assert (getattr(loaded.exclusive, name) == getattr(index.exclusive, name)).all()
    hastened = loaded.hastened().search(QUERIES, encoded(), 10)
    assert (hastened[1] == index.search(QUERIES, encoded(), 10)[1]).all()
    for found, kept in zip(
        loaded.search(QUERIES, encoded(), 10), index.search(QUERIES, encoded(), 10), strict=True
    ):
        assert (found == kept).all()
    without = replace(loaded, exclusive=None)
    write_index(tmp_path / "without", without, Manifest(kind="index"))
    assert HybridIndex.load(tmp_path / "without").exclusive is None
    folder = tmp_path / "index" / "words"
    (folder / "exclusive-excludes.npy").unlink()
    with pytest.raises(ArtifactError, match="exclude each other"):
        ExclusiveWords.load(folder, 0.5)


@pytest.mark.parametrize("helps", [True, False])
def test_it_counts_where_validation_queries_gain_by_it(helps: bool):
    index, _ = excluding(0.5)
    first = replace(index, exclusive=None if helps else index.exclusive)
    best = replace(index, exclusive=index.exclusive if helps else None)
    wanted = best.search(QUERIES, encoded(), 5)[1]
    others = np.sort(wanted) != np.sort(first.search(QUERIES, encoded(), 5)[1])
    assert others.any()
    relevant = np.zeros((len(QUERIES), SIZE))
    np.put_along_axis(relevant, wanted, 1, 1)
    asked = query_set(csr_matrix(relevant)).some(np.flatnonzero(others.any(1)))

    def encode(texts: list[str]) -> QueryEmbeddings:
        rows = [QUERIES.index(text) for text in texts]
        return QueryEmbeddings(encoded().vector[rows], encoded().gate[rows])

    plain = replace(index, exclusive=None)
    weight, recalls, ranks = choose_exclusive_words(plain, index.exclusive, asked, encode, 5, 0)
    assert set(recalls) == set(ranks) == set(EXCLUSIVE_WORDS)
    assert (recalls[1.0] > recalls[0.0]) is helps
    assert (weight > 0) is helps
    made = replace(asked, name="synthetic")
    nothing = choose_exclusive_words(plain, index.exclusive, made, encode, 5, 0)
    assert nothing == (0.0, {}, {})
