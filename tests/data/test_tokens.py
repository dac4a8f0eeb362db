"""Fields that are left out of a step leave no trace in its tokens."""

import numpy as np
import pandas as pd
import pytest

from smar.data.text import MARKERS, field_starts, item_texts
from smar.data.token_table import TokenTable
from smar.data.tokens import Forgotten, forget_words, mask_fields
from smar.errors import ShapeError
from smar.models.tokenizer import TextTokenizer, train_tokenizer


@pytest.fixture
def items() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "title": ["red caf\u00e9 boot", "novel"],
            "brand": ["Acme", ""],
            "category": ["Shoes > Boots", "Books"],
            "attributes": ["size: M", ""],
        }
    )


def without(items: pd.DataFrame, row: int, *fields: str) -> pd.DataFrame:
    """Return one item whose named fields are empty."""
    return items.iloc[[row]].assign(**dict.fromkeys(fields, ""))


@pytest.mark.parametrize("markers", [False, True])
def test_masked_text_is_the_text_of_an_item_without_the_field(items: pd.DataFrame, markers: bool):
    texts = item_texts(items, markers=markers)
    tokenizer = train_tokenizer(texts * 3, 400, 24, MARKERS if markers else ())
    table = tokenizer.encode(texts, field_starts(items, markers=markers))
    hidden = np.array([[False, True, False, True], [False, False, True, False]])
    masked = mask_fields(table, np.array([0, 1]), hidden)
    for row, fields in ((0, ("brand", "attributes")), (1, ("category",))):
        expected = tokenizer.encode(item_texts(without(items, row, *fields), markers=markers))
        assert masked.lengths[row] == expected.lengths[0]
        assert ids(masked, row) == ids(expected, 0)


def ids(table: TokenTable, row: int) -> list[int]:
    return table.ids[row, : table.lengths[row]].tolist()


@pytest.fixture
def table(items: pd.DataFrame) -> TokenTable:
    texts = item_texts(items)
    return train_tokenizer(texts * 3, 400, 24).encode(texts, field_starts(items))


def test_nothing_hidden_changes_nothing(table: TokenTable):
    masked = mask_fields(table, np.array([1, 0]), np.zeros((2, 4), bool))
    assert [ids(masked, 0), ids(masked, 1)] == [ids(table, 1), ids(table, 0)]


def test_item_whose_every_field_is_hidden_stays_whole(table: TokenTable):
    hidden = np.array([[True] * 4, [True, False, True, False]])  # the novel has two fields
    masked = mask_fields(table, np.array([0, 1]), hidden)
    assert [ids(masked, 0), ids(masked, 1)] == [ids(table, 0), ids(table, 1)]


def test_first_token_and_truncation_are_kept(items: pd.DataFrame):
    texts = item_texts(items)
    tokenizer: TextTokenizer = train_tokenizer(texts * 3, 400, 4)
    short = tokenizer.encode(texts, field_starts(items))
    masked = mask_fields(short, np.array([0, 1]), np.array([[False, True, True, True]] * 2))
    assert (masked.ids[:, 0] == tokenizer.tokenizer.token_to_id("[CLS]")).all()
    assert (masked.lengths <= 4).all()


def test_texts_without_fields_are_refused(table: TokenTable):
    with pytest.raises(ShapeError, match="which field a token belongs to"):
        mask_fields(TokenTable(table.ids, table.lengths), np.array([0]), np.zeros((1, 4), bool))


@pytest.fixture
def words(items: pd.DataFrame) -> TokenTable:
    """As `table`, with the same word in two fields of the novel, and 200 copies of the boot."""
    more = pd.concat([items.assign(brand=["Acme", "Novel"])] + [items.iloc[[0]]] * 200)
    texts = [text.lower() for text in item_texts(more)]
    return train_tokenizer(texts * 3, 400, 24).encode(texts, field_starts(more))


def test_a_forgotten_word_is_gone_wherever_the_text_has_it(words: TokenTable):
    novel = ids(words, 1)
    twice = {token for token in novel if novel.count(token) > 1}
    assert twice
    for seed in range(20):
        left = ids(forget_words(words, np.array([1]), Forgotten(0.5, seed), np.array([1])), 0)
        assert all(left.count(token) in (0, novel.count(token)) for token in twice)


def test_share_of_words_that_is_forgotten_is_the_one_asked_for(words: TokenTable):
    rows = np.arange(2, 202)
    masked = forget_words(words, rows, Forgotten(0.3, 5), rows)
    of_field = words.lengths[rows] - 1  # all but the first, special one
    left = (masked.lengths - 1) / of_field
    assert 0.26 < 1 - left.mean() < 0.34
    assert left.std() > 0.1  # not the same words of each item
    assert (masked.ids[:, 0] == words.ids[rows, 0]).all()


def test_what_is_forgotten_of_an_item_does_not_depend_on_the_batch(words: TokenTable):
    rows = np.arange(2, 40)
    whole = forget_words(words, rows, Forgotten(0.5, 1), rows)
    apart = forget_words(words, rows[7:9], Forgotten(0.5, 1), rows[7:9])
    assert [ids(apart, place) for place in range(2)] == [ids(whole, 7), ids(whole, 8)]
    other = forget_words(words, rows, Forgotten(0.5, 2), rows)
    assert [ids(other, n) for n in range(38)] != [ids(whole, n) for n in range(38)]


def test_text_of_which_nothing_would_be_left_stays_whole(words: TokenTable):
    rows = np.arange(2, 202)
    masked = forget_words(words, rows, Forgotten(0.9, 3), rows)
    assert (masked.lengths > 1).all()
    assert (masked.lengths == words.lengths[rows]).any()


def test_words_of_texts_without_fields_are_not_forgotten(table: TokenTable):
    with pytest.raises(ShapeError, match="which tokens are of a field"):
        forget_words(
            TokenTable(table.ids, table.lengths), np.array([0]), Forgotten(0.5, 1), np.array([0])
        )
