"""The word index: BM25 by hand, what a share means, order, files."""

import math
from pathlib import Path

import bm25s
import numpy as np
import pytest

from smar.index.picture_words import PictureWord
from smar.index.word_files import write_words
from smar.index.words import WordIndex

TEXTS = ["red boot", "blue boot boot", "green sandal for women"]


def by_hand(tf: int, found_in: int, length: int, reachable: float) -> float:
    idf = math.log(1 + (3 - found_in + 0.5) / (found_in + 0.5))
    return idf * tf / (tf + 1.5 * (0.25 + 0.75 * length / 3)) / reachable


def test_share_is_bm25_over_the_idf_of_the_query():
    red, boot = math.log(1 + 2.5 / 1.5), math.log(1 + 1.5 / 2.5)
    expected = [
        by_hand(1, 1, 2, red + boot) + by_hand(1, 2, 2, red + boot),
        by_hand(2, 2, 3, red + boot),
        0,
    ]
    assert WordIndex.build(TEXTS).shares("red boot") == pytest.approx(expected, abs=1e-6)


def test_word_that_no_text_has_counts_as_the_rarest():
    words = WordIndex.build(TEXTS)
    boot, unknown = math.log(1 + 1.5 / 2.5), math.log(1 + 3.5 / 0.5)
    lowered = words.shares("boot") * boot / (boot + unknown)
    assert words.shares("bort boot") == pytest.approx(lowered, abs=1e-6)


def test_word_forms_are_one():
    words = WordIndex.build(TEXTS)
    assert (words.shares("Boots") == words.shares("boot")).all()


@pytest.mark.parametrize("query", ["zzz", "?", "a"])
def test_query_without_a_common_word_has_no_share(query: str):
    assert not WordIndex.build([*TEXTS, "?", ""]).shares(query).any()


def test_texts_without_words_are_an_index_without_shares():
    words = WordIndex.build(["", "?"])
    assert len(words) == 2
    assert not words.shares("boot").any()


def test_best_is_a_sort_by_share_and_row_without_zeros():
    words = WordIndex.build([*TEXTS, "boot", "red boot", "blue"])
    for query in ("red boot", "boot", "boot boot red", "women zzz", "zzz"):
        shares = words.shares(query)
        order = sorted(range(6), key=lambda row: (-shares[row], row))
        slow = [row for row in order if shares[row]]
        for k in (1, 2, 5, 30):
            rows, of_rows = words.best(query, k)
            assert rows.tolist() == slow[:k]
            assert (of_rows == shares[rows]).all()
            mask = np.array([True, False, True, True, False, True])
            assert words.best(query, k, mask)[0].tolist() == [r for r in slow if mask[r]][:k]


def test_rows_that_reach_a_share_are_those_of_all_shares():
    words = WordIndex.build([*TEXTS, "boot", "red boot", "blue"])
    for query in ("red boot", "boot", "women zzz", "zzz"):
        shares = words.shares(query)
        assert (words.shares_of(query, np.array([4, 0, 2])) == shares[[4, 0, 2]]).all()
        for least in (1e-30, *shares[shares > 0].tolist(), 0.999):
            rows, of_rows = words.reaching(query, least)
            assert sorted(rows.tolist()) == np.flatnonzero(shares >= least).tolist()
            assert (of_rows == shares[rows]).all()


def test_shares_are_the_product_of_sparse_weights():
    words = pictured(WordIndex.build([*TEXTS, "iphone 8 black", "iphone8", "WH-1000XM4", ""]))
    vocabulary, items = words.vocabulary, words.item_weights().tocsr()
    for query in ("red boot", "boot boots bort", "iphone8", "wh1000xm4 boot", "zzz", ""):
        weights = words.query_weights(query)
        vector = np.zeros(len(vocabulary))
        for word, weight in weights.items():
            vector[vocabulary[word]] = weight
        assert items @ vector == pytest.approx(words.shares(query), abs=1e-7)
        assert bool(weights) == bool(words.shares(query).any())


def pictured(words: WordIndex) -> WordIndex:
    """Return the index in which the picture of the third item tells that it is red, half surely."""
    rows, weights = np.array([2], np.int32), np.array([0.25], np.float32)
    return words.with_pictured([PictureWord("red", rows, weights)])


def test_word_of_a_picture_counts_beside_those_of_the_text_and_leaves_their_rarity():
    words = WordIndex.build(TEXTS)
    more = pictured(words)
    reachable = math.log(1 + 2.5 / 1.5) + math.log(1 + 2.5 / 1.5)
    added = np.array([0, 0, 0.25 / reachable])
    assert more.shares("red sandal") == pytest.approx(words.shares("red sandal") + added)
    assert more.known("red sandal") == words.known("red sandal")
    assert (more.of_texts().shares("red sandal") == words.shares("red sandal")).all()
    rows = np.array([0, 2])
    assert more.matched("red sandal", rows) == [["red"], ["sandal"]]
    assert more.pictured("red sandal", rows) == [[], ["red"]]


def as_bm25s_makes_them(texts: list[str], folder: Path) -> None:
    """Write the index that bm25s itself makes of texts whose words are parted by blanks."""
    words = [text.split() or [""] for text in texts]
    number = {word: n for n, word in enumerate(sorted({w for ws in words for w in ws}))}
    theirs = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    theirs.index(([[number[w] for w in ws] for ws in words], number), show_progress=False)
    theirs.save(folder, show_progress=False)


def test_weights_are_byte_for_byte_those_of_bm25s(tmp_path: Path):
    rng = np.random.default_rng(1)
    vocabulary = [f"{one}{two}" for one in "abcdefgh" for two in "ijklmnop"]
    texts = [" ".join(rng.choice(vocabulary, rng.integers(0, 30))) for _ in range(300)]
    as_bm25s_makes_them(texts, tmp_path / "theirs")
    write_words(WordIndex.build(texts, stemmer="none"), tmp_path / "ours")
    for file in (tmp_path / "theirs").iterdir():
        assert (tmp_path / "ours" / file.name).read_bytes() == file.read_bytes(), file.name


def test_words_of_many_queries_are_those_of_each():
    words = WordIndex.build([*TEXTS, "iphone 8 black", "wh 1000xm4", ""], [["A-1234"]] * 6)
    queries = ["red boots", "iphone8 zzz", "WH-1000XM4", "a 1234", "a1234", "", "?"]
    for some in (queries, queries[:2], queries[3:4], []):
        of_each = {n for query in some for _, numbers in words.forms(query) for n in numbers}
        assert sorted(words.numbers_in(some)) == sorted(of_each)
