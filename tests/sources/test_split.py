"""The split of logged queries."""

import pytest

from smar.data.schema import normalize_query
from smar.sources.split import query_id_of, split_queries

TEXTS = [f"query {number}" for number in range(2000)]


def test_split_share_is_as_asked_for():
    held_out = list(split_queries(TEXTS, 0.1, 7, set()).values()).count("validation")
    assert held_out == pytest.approx(200, abs=50)


def test_split_of_a_text_does_not_depend_on_the_others():
    whole = split_queries(TEXTS, 0.1, 7, set())
    assert split_queries(TEXTS[:5], 0.1, 7, set()) == {t: whole[t] for t in TEXTS[:5]}
    assert whole != split_queries(TEXTS, 0.1, 8, set())


def test_test_texts_stay_in_training():
    assert set(split_queries(TEXTS, 0.9, 7, set(TEXTS)).values()) == {"train"}


def test_query_ids_follow_the_normalised_text():
    assert query_id_of(normalize_query(" Red\u00a0 BOOT")) == query_id_of("red boot")
    assert query_id_of("a") != query_id_of("b")
