"""The reader that needs no smar: its few copied steps are those of smar, and it notices."""

import inspect
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smar.data import schema
from smar.export import selftest
from smar.export.tokenizer import whole_tokenizer
from smar.models.tokenizer import TextTokenizer, train_tokenizer

ENTRY = {
    "query": "boot",
    "top": [{"item_id": "a", "score": 0.9}, {"item_id": "b", "score": 0.5}],
    "next": [{"item_id": "c", "score": 0.5}, {"item_id": "d", "score": 0.1}],
}
ODD = [
    "Red  BOOT\t", "\u0130stanbul", "\ufb01ne \uff32\uff25\uff24", "soft\u00adhyphen\u200b \u2067x",
    "caf\u00e9 cafe\u0301", "\u00bd \u2460 \u337f", "STRASSE stra\u00dfe", "\u3000wide\u00a0space",
]  # fmt: skip


def test_reader_imports_nothing_of_smar_but_the_forms_of_words():
    imported = re.findall(
        r"^\s*(?:from|import) (smar\S*)", inspect.getsource(selftest), re.MULTILINE
    )
    assert imported == ["smar.index.word_forms"]


@settings(max_examples=50)
@given(st.text())
def test_reader_normalizes_as_smar_does(text: str):
    assert selftest.normalize(text) == schema.normalize_query(text)


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return train_tokenizer(["red boot", "fine caf\u00e9 stra\u00dfe", "soft hyphen"], 300, 12)


@pytest.mark.parametrize("text", [*ODD, "a b c d e f g h i j k l m n o p", ""])
def test_tokenizer_takes_texts_as_they_are_typed(tokenizer: TextTokenizer, text: str):
    from tokenizers import Tokenizer

    whole = Tokenizer.from_str(whole_tokenizer(tokenizer))
    expected = tokenizer.tokenizer.encode(schema.normalize_query(text)).ids
    assert whole.encode(text).ids == whole.encode(schema.normalize_query(text)).ids == expected
    batch = whole.encode_batch([text, "red boot of a longer name"])
    assert sum(batch[0].attention_mask) == len(expected)
    assert len(batch[0].ids) == len(batch[1].ids)


@pytest.mark.parametrize(
    ("item_ids", "problem"),
    [
        (["a", "b"], ""),
        (["a", "c"], ""),  # as good as b
        (["b", "a"], "place 1 is b, expected a"),
        (["a", "d"], "place 2 is d, expected b"),
        (["a", "x"], "place 2 is x, expected b"),
        (["a", "a"], "place 2 is a, expected b"),
        (["a"], "1 items, expected 2"),
        (["a", "b", "x"], ""),
    ],
)
def test_items_may_only_change_places_with_equals(item_ids: list[str], problem: str):
    assert selftest.moved(ENTRY, item_ids) == problem
