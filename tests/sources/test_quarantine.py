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
    quarantine(5, 100).check(0.05)


def test_share_above_the_bound_stops_with_counts_and_an_example():
    with pytest.raises(DataError, match=r"items: 6 of 100 \(6\.0%\): 6 x title is empty\. First"):
        quarantine(6, 100).check(0.05)


def test_counts_are_by_source_and_reason():
    assert quarantine(3, 10).counts() == {"items: title is empty": 3}
    assert Quarantine().counts() == {}


def test_long_values_are_cut():
    result = Quarantine()
    result.put("items", [(1, "a", "title", "x", "y" * 1000)])
    assert len(result.frame()["value"][0]) == 200
