"""What an answer says of itself."""

import pytest

from smar.service.answer import Answer, Shares


@pytest.mark.parametrize(("best", "is_weak"), [(0.49, True), (0.5, False), (None, False)])
def test_answer_is_weak_where_no_item_is_more_likely_relevant_than_not(
    best: float | None, is_weak: bool
):
    shares = Shares(0.2, 0.2, 0.6)
    answer = Answer("", "tea", "v1", 9, 0, 10, [], {}, 0.5, shares, best_relevance=best)
    assert answer.is_weak is is_weak
    assert answer.as_dict()["weak"] is is_weak
