"""Queries with the columns that their rules need."""

import pyarrow as pa
import pytest

from smar.data.membership import are_ascending
from smar.data.schema import normalize_query
from smar.validation import queries

TEXTS = [
    "", " ", "a", "a b", "a  b", " a", "a ", "a\tb", "a\nb", "b\n", "a\x1fb", "a\x7f", "Red",
    "z!@[~`9", "caf\u00e9", "CAF\u00c9", "cafe\u0301", "\uff41", "\u4e1c\u4eac",
    "a\u200bb", "i\u0307", "\u00b2", "a\u00a0b", "\ufb01ne",
]  # fmt: skip


@pytest.mark.parametrize("pieces", [1, 3])
def test_texts_are_normal_that_normalising_leaves_as_they_are(pieces: int):
    size = -(-len(TEXTS) // pieces)
    table = pa.chunked_array([TEXTS[at : at + size] for at in range(0, len(TEXTS), size)])
    expected = [text == normalize_query(text) for text in TEXTS]
    assert queries._is_normal(table).tolist() == expected
    assert {True, False} == set(expected)


def test_no_texts_are_normal_or_not():
    assert queries._is_normal(pa.chunked_array([], pa.string())).tolist() == []


@pytest.mark.parametrize(
    ("texts", "expected"),
    [([], True), (["a"], True), (["a", "b", "c"], True), (["a", "a"], False),
     (["b", "a"], False), (["a", "c", "b"], False), (["a", None, "a"], False)],
)  # fmt: skip
def test_texts_that_ascend_are_distinct(texts: list[str], *, expected: bool):
    assert are_ascending(pa.array(texts, pa.string())) == expected
