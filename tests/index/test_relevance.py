"""The probability of relevance: planted truths, clicks on a part of it, what the shop lacks."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from smar.artifacts import Manifest
from smar.errors import DataError
from smar.index.ann import gated_items
from smar.index.building import build_index
from smar.index.calibrating import with_calibration
from smar.index.hybrid import HybridIndex, write_index
from smar.index.relevance import Calibration, QueryFacts
from smar.index.spelling import Spelling
from smar.index.unseen import missing, told_by
from smar.index.words import WordIndex
from smar.judging.runs import QuerySet
from smar.models.embeddings import QueryEmbeddings
from smar.params import IndexParams

PARAMS = IndexParams(exact_below=50_000, recall_at=10, sample_queries=50, word_share=0.0)
CURVE = Calibration((2.0, -1.0), (0.0, 1.0, 2.0), (0.1, 0.5, 0.9), 0.2, "trial")
COLOURS = ["red", "blue", "green", "black", "white", "brown", "grey", "pink"]
KINDS = ["boot", "sandal", "novel", "atlas", "lamp"]


def vectors_of(texts: list[str]) -> NDArray[np.float32]:
    """Return unit vectors of texts: half of each word's own direction is shared by all."""
    rows = []
    for text in texts:
        row = np.full(16, 0.2)
        for word in text.split():
            row += np.random.default_rng(sum(word.encode()) * 7919).normal(size=16)
        rows.append(row / np.linalg.norm(row))
    return np.array(rows, np.float32)


def encode(texts: list[str]) -> QueryEmbeddings:
    return QueryEmbeddings(vectors_of(texts), np.full(len(texts), 0.5, np.float32))


@pytest.fixture(scope="module")
def shop() -> tuple[HybridIndex, QuerySet]:
    """Return 400 items, and every colour with every kind as a query whose items are all of it."""
    rng = np.random.default_rng(0)
    texts = [f"{rng.choice(COLOURS)} {rng.choice(KINDS)}" for _ in range(400)]
    items = gated_items(vectors_of(texts), vectors_of(texts))
    ids = [f"i{row}" for row in range(len(texts))]
    index = HybridIndex(build_index(items, ids, PARAMS, lambda: items), WordIndex.build(texts), 0.5)
    queries = [f"{colour} {kind}" for colour in COLOURS for kind in KINDS]
    grades = csr_matrix([[2.0 * (text == query) for text in texts] for query in queries])
    return index, of_queries("trial", queries, grades)


def of_queries(name: str, texts: list[str], grades: csr_matrix) -> QuerySet:
    counts = np.ones(len(texts), np.int64)
    return QuerySet(name, [f"q{n}" for n in range(len(texts))], texts, counts, grades, 2)


@pytest.mark.parametrize(
    ("score", "unknown", "expected"),
    [(0.0, 0.0, 0.1), (0.5, 0.0, 0.5), (0.25, 0.0, 0.3), (0.5, 1.0, 0.1), (9.0, 0.0, 0.9)],
)
def test_probability_is_read_off_the_curve(score: float, unknown: float, expected: float):
    assert CURVE.of(np.array([score], np.float32), QueryFacts(unknown)) == pytest.approx([expected])


def test_calibration_reads_itself_again():
    assert Calibration.read(CURVE.as_dict()) == CURVE
    assert Calibration.read(None) is None


def test_probability_is_that_of_being_relevant(shop: tuple[HybridIndex, QuerySet]):
    index, queries = shop
    index = with_calibration(index, [queries], encode)
    scores, rows = index.search(queries.texts, encode(queries.texts), 50)
    told = np.stack([index.likely(*each) for each in zip(queries.texts, scores, strict=True)])
    relevant = np.take_along_axis(queries.relevant.toarray(), rows, 1) > 0
    assert (np.diff(told) <= 0).all()  # grows with the score
    assert told[relevant].mean() > 0.9
    assert told[~relevant].mean() < 0.1
    assert (told[relevant] >= index.calibration.cut).mean() >= 0.98


def test_what_the_shop_lacks_is_less_probable_than_what_it_has(
    shop: tuple[HybridIndex, QuerySet],
):
    index = with_calibration(shop[0], [shop[1]], encode)

    def best(text: str) -> float:
        return float(index.likely(text, index.search([text], encode([text]), 1)[0][0])[0])

    assert best("red boot") > 0.8
    assert best("kettle") < 0.2
    assert best("teapot kettle") < 0.2


def test_clicks_on_a_part_of_what_is_relevant_tell_the_same(shop: tuple[HybridIndex, QuerySet]):
    """Every third relevant item was clicked: the plain chance of a click is a third."""
    index, queries = shop
    rng = np.random.default_rng(1)
    clicked = queries.qrels.copy()
    clicked.data[rng.random(len(clicked.data)) > 1 / 3] = 0
    clicked.eliminate_zeros()
    by_clicks = with_calibration(index, [of_queries("validation", queries.texts, clicked)], encode)
    scores, rows = by_clicks.search(queries.texts, encode(queries.texts), 50)
    told = np.stack([by_clicks.likely(*each) for each in zip(queries.texts, scores, strict=True)])
    relevant = np.take_along_axis(queries.relevant.toarray(), rows, 1) > 0
    assert told[relevant].mean() > 0.8
    assert told[~relevant].mean() < 0.15


def few(queries: QuerySet) -> QuerySet:
    return of_queries("trial", queries.texts[:20], queries.qrels[:20])


def no_answer(queries: QuerySet) -> QuerySet:
    nothing = queries.qrels.copy()
    nothing.data[:] = 1  # below the relevant grade
    return of_queries("trial", queries.texts, nothing)


@pytest.mark.parametrize("unfit", [few, no_answer])
def test_set_that_says_nothing_gives_no_calibration(
    shop: tuple[HybridIndex, QuerySet], unfit: Callable[[QuerySet], QuerySet]
):
    index = with_calibration(shop[0], [unfit(shop[1])], encode)
    assert index.calibration is None
    with pytest.raises(DataError, match="no calibration"):
        index.likely("red boot", np.ones(1, np.float32))


def test_first_set_that_is_large_enough_is_taken(shop: tuple[HybridIndex, QuerySet]):
    index, queries = shop
    clicked = of_queries("validation", queries.texts, queries.qrels)
    found = with_calibration(index, [few(queries), clicked], encode).calibration
    assert found is not None
    assert found.source == "validation"


def test_calibration_is_stored_with_the_index(shop: tuple[HybridIndex, QuerySet], tmp_path):
    index = with_calibration(shop[0], [shop[1]], encode)
    index = replace(index, spelling=Spelling({"boot": 2}, index.words))
    write_index(tmp_path / "index", index, Manifest(kind="index", details={"model_sha": "x"}))
    again = HybridIndex.load(tmp_path / "index")
    assert again.read(["red boto"]) == ["red boot"]
    scores = np.linspace(0, 1, 9, dtype=np.float32)
    assert (again.likely("red boot", scores) == index.likely("red boot", scores)).all()


@pytest.mark.parametrize(
    ("query", "unknown", "known"),
    [("red boot", 0.0, 2), ("kettle", 1.0, 0), ("", 1.0, 0)],
)
def test_known_words_of_a_query(
    shop: tuple[HybridIndex, QuerySet], query: str, unknown: float, known: int
):
    assert shop[0].words.known(query) == (unknown, known)


def test_unknown_words_weigh_as_the_rarest(shop: tuple[HybridIndex, QuerySet]):
    words = shop[0].words
    idf, rarest = words.idf()
    red = idf[words.vocabulary["red"]]
    assert words.known("red kettle") == (pytest.approx(rarest / (rarest + red)), 1)


def test_words_that_searches_use_are_told_from_words_that_no_one_uses(
    shop: tuple[HybridIndex, QuerySet],
):
    """Three training queries ask for a "gown", two for a "clog"; "red" is in items."""
    trained = ["red gown", "gown", "blue gowns", "clog", "red clog"]
    index = with_calibration(shop[0], [shop[1]], encode, trained)
    assert index.calibration is not None
    assert index.calibration.asked == {"gown"}
    unknown, asked = missing(index.words, "red gown kettle", index.calibration.asked)
    assert unknown == asked > 0
    assert missing(index.words, "red", {"red"}) == (0.0, 0.0)
    assert missing(index.words, "", {"gown"}) == (1.0, 0.0)
    assert Calibration.read(index.calibration.as_dict()) == index.calibration


@pytest.mark.parametrize(
    "query", ["red boot", "kettle", "red boot kettle", "", "pink", "boots atlas", "red red boot"]
)
def test_facts_of_a_query_are_what_a_look_at_every_item_tells(
    shop: tuple[HybridIndex, QuerySet], query: str
):
    words = shop[0].words
    known = [word for word in query.split() if words.shares(word).any()]
    has = [words.shares(word) > 0 for word in known]
    told = told_by(words, query, {"kettle"})
    assert told.known == len(known)
    assert told.share == pytest.approx(float(words.shares(query).max(initial=0)), abs=1e-7)
    assert told.rarity == (1 / (1 + np.logical_and.reduce(has).sum()) if known else 0.0)
    assert (told.unknown, told.asked) == missing(words, query, {"kettle"})


def test_word_that_items_write_in_several_forms_is_held_in_any():
    words = WordIndex.build(["iphone 8", "iphone8", "iphone case", "8 cups"])
    assert told_by(words, "iphone8 case", ()).rarity == 1 / 2
    assert told_by(words, "iphone8", ()).rarity == 1 / 5


def test_calibration_of_before_is_read_by_the_facts_it_was_fitted_to():
    before = replace(CURVE, slopes=(2.0, -1.0, 0.5, -0.25))
    told = QueryFacts(0.2, 0.4, share=0.5, known=4, rarity=1.0)
    line = 2.0 * 0.5 - 0.2 + 0.5 * 0.4 - 0.25 * 4 * 0.5
    at_half = np.array([0.5], np.float32)
    assert before.of(at_half, told) == pytest.approx(np.interp([line], (0, 1, 2), (0.1, 0.5, 0.9)))
    now = replace(CURVE, slopes=(2.0, -1.0, 0.5, -0.4, -0.05, 0.3))
    line = 2.0 * 0.5 - 0.2 + 0.5 * 0.4 - 0.4 * 0.5 - 0.05 * 4 + 0.3
    assert now.of(at_half, told) == pytest.approx(np.interp([line], (0, 1, 2), (0.1, 0.5, 0.9)))


def test_calibration_of_before_knows_no_asked_words():
    content = CURVE.as_dict()
    del content["asked"]
    read = Calibration.read(content)
    assert read == CURVE
    told = QueryFacts(0.0, 0.7, share=1.0, known=2)
    assert read.of(np.array([0.5], np.float32), told) == pytest.approx([0.5])
