"""Too many bad rows stop the work; a few do not."""

import pytest

from smar.errors import DataError
from smar.sources.quarantine import Quarantine


def quarantine(bad: int, total: int) -> Quarantine:
    result = Quarantine()
    result.see("items", total)
    result.put("items", ((row, f"i{row}", "title", "title is empty", "") for row in range(bad)))
    return result


def test_share_at_the_bound_passes():
    quarantine(5, 100).check(0.05, 0.05, {})


def test_share_above_the_bound_stops_with_counts_and_an_example():
    with pytest.raises(DataError, match=r"items: 6 of 100 \(6\.0%\): 6 x title is empty\. First"):
        quarantine(6, 100).check(0.05, 0.05, {})


def test_counts_are_by_source_and_reason():
    assert quarantine(3, 10).counts() == {"items: title is empty": 3}
    assert Quarantine().counts() == {}


def test_long_values_are_cut():
    result = Quarantine()
    result.put("items", [(1, "a", "title", "x", "y" * 1000)])
    assert len(result.frame()["value"][0]) == 200


def test_rows_about_what_is_not_there_have_a_limit_of_their_own():
    result = quarantine(5, 100)
    result.put("items", [(row, "i", "item_id", "item is unknown", "z") for row in range(50)])
    result.check(0.05, 0.5, {})
    result.check(1.0, 0.0, {})  # never stricter than the other
    with pytest.raises(DataError, match=r"50 x item is unknown.*max_unknown_frac, now 0\.49"):
        result.check(0.05, 0.49, {})


def test_limit_of_a_source_replaces_both():
    with pytest.raises(DataError, match=r"quarantine_limits\.items, now 0\.04"):
        quarantine(5, 100).check(1, 1, {"items": 0.04})
    quarantine(5, 100).check(0, 0, {"items": 0.05})
