"""What each word of a query does to the weights of text, picture and words."""

from dataclasses import replace

import numpy as np
import pytest

from smar.index.reasons import reasons_of
from smar.index.relevance import Calibration
from smar.index.unseen import UnseenWords
from smar.models.embeddings import QueryEmbeddings
from tests.index.test_hybrid import make

LOGITS = {"red": 2.0, "boot": -1.0, "acme": 0.5, "gown": 0.0, "zzz": 30.0}


def encode(texts: list[str]) -> QueryEmbeddings:
    """Return gates whose logits are the sum of those of the words."""
    logits = np.array([sum(LOGITS[word] for word in text.split()) for text in texts])
    return QueryEmbeddings(np.zeros((len(texts), 8), np.float32), 1 / (1 + np.exp(-logits)))


def test_each_word_says_what_it_adds_to_the_logit_and_who_knows_it():
    index, _ = make(60, 0.1)
    known = Calibration((1.0,), (0.0, 1.0), (0.0, 1.0), 0.3, "trial", frozenset({"gown"}))
    unseen = UnseenWords.of(index.words, ["red boot"], 0.5)
    index = replace(index, unseen=unseen, calibration=known)
    first, second = reasons_of(index, ["red acme gown boot", "boot"], encode)
    assert [one.word for one in first] == ["red", "acme", "gown", "boot"]
    assert [one.picture for one in first] == pytest.approx([2.0, 0.5, 0.0, -1.0])
    assert [one.known for one in first] == ["yes", "not searched for", "in no item", "yes"]
    assert (second[0].picture, str(second[0])) == (pytest.approx(-1.0), "boot -1.0")
    assert reasons_of(index, [], encode) == []


def test_word_that_makes_sure_of_the_picture_ends_where_numbers_end():
    index, _ = make(60, 0.1)
    one = reasons_of(index, ["zzz boot"], encode)[0][0]
    assert one.known == "to no one"
    assert one.picture == pytest.approx(np.log(1e6) + 1, abs=1e-3)
