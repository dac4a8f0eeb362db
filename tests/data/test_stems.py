"""The bag of stems: what two spellings of one wish share."""

import pytest

from smar.data.stems import bag_of_stems


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("red boots", "boot red"),
        ("running shoe", "shoes run"),
        ("usb-c cable", "cable usb c"),
        ("red red dress", "red dress"),
    ],
)
def test_order_endings_and_repetition_do_not_count(one: str, other: str):
    assert bag_of_stems(one) == bag_of_stems(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("red boot", "blue boot"), ("size s", "size m"), ("boot", "boot red"), ("!!", "??")],
)
def test_other_words_are_another_bag(one: str, other: str):
    assert bag_of_stems(one) != bag_of_stems(other)
