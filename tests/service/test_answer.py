"""What an answer says of itself."""

import pytest

from smar.service.answer import Answer, Shares
from smar.service.hits import Hit


@pytest.mark.parametrize(
    ("relevance", "is_weak"),
    [
        ([0.49, 0.2], True),
        ([0.5, 0.2], False),
        ([0.1, 0.9], False),  # sorted by something else: the best need not come first
        ([None, None], False),
        ([], False),
    ],
)
def test_answer_is_weak_where_no_hit_is_more_likely_relevant_than_not(
    relevance: list[float | None], is_weak: bool
):
    hits = [Hit(rank, 0.0, {}, [], relevance=one) for rank, one in enumerate(relevance, start=1)]
    answer = Answer("", "tea", "v1", len(hits), 0, 10, hits, {}, 0.5, Shares(0.2, 0.2, 0.6))
    assert answer.is_weak is is_weak
