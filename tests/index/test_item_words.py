"""Words taken from an earlier run are those that would be read again, whatever was edited."""

import numpy as np
import pytest

from smar.index.item_words import ItemWords
from smar.index.word_forms import WordForms

PARTS = ["red", "boots", "WH-1000XM4", "iphone8", "256 gb", "sofa", "wool", "?", "T-shirt", "b&w"]


class Recorded(WordForms):
    """Counts the texts that were read."""

    num_read = 0

    def of_text(self, text: str) -> list[str]:
        self.num_read += 1
        return super().of_text(text)


def catalogue(rng: np.random.Generator, rows: int) -> list[tuple[str, tuple[str, str]]]:
    return [
        (" ".join(rng.choice(PARTS, rng.integers(0, 5))), (f"id{rng.integers(99):05}", ""))
        for _ in range(rows)
    ]


def read(items: list[tuple[str, tuple[str, str]]], earlier: ItemWords | None = None):
    forms = Recorded("english")
    texts, codes = [text for text, _ in items], [codes for _, codes in items]
    return ItemWords.read(texts, codes, forms, earlier), forms.num_read


def assert_equal(words: ItemWords, expected: ItemWords) -> None:
    assert words.vocabulary == expected.vocabulary
    for name in ("keys", "starts", "numbers", "counts"):
        ours, theirs = getattr(words, name), getattr(expected, name)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs, err_msg=name)


@pytest.mark.parametrize("seed", range(5))
def test_any_edits_give_what_reading_all_gives(seed: int):
    rng = np.random.default_rng(seed)
    items = catalogue(rng, 30)
    words, _ = read(items)
    for _ in range(4):
        items = [one for one in items if rng.random() > 0.2] + catalogue(rng, 4)
        rng.shuffle(items)
        words, num_read = read(items, words)
        expected, _ = read(items)
        assert_equal(words, expected)
        assert num_read <= 4


def test_item_with_another_code_is_read_again():
    _, num_read = read(
        [("red", ("A1234", "")), ("red", ("B1234", ""))], read([("red", ("A1234", ""))])[0]
    )
    assert num_read == 1


@pytest.mark.parametrize("seed", range(5))
def test_items_of_which_most_are_others_are_those_of_reading_all(seed: int):
    rng = np.random.default_rng(seed)
    items = catalogue(rng, 30)
    words, _ = read(items)
    for _ in range(3):
        rows = rng.permutation(len(items))[: rng.integers(1, 30)]
        more = catalogue(rng, int(rng.integers(4)))
        rows = np.concatenate([rows, np.full(len(more), -1)])
        rng.shuffle(rows)
        texts, codes = [text for text, _ in more], [codes for _, codes in more]
        forms, new = Recorded("english"), iter(more)
        items = [items[row] if row >= 0 else next(new) for row in rows]
        words = words.with_others(rows, texts, codes, forms)
        assert forms.num_read == len(more)
        expected, _ = read(items)
        assert_equal(words, expected)
