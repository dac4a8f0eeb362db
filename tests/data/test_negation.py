"""What queries say is not wanted."""

import pytest

from smar.data.negation import negation_of


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("shirt not red", "shirt", ["red"]),
        ("not red shirt", "shirt", ["red"]),
        ("non floral dress", "dress", ["floral"]),
        ("blue non-floral dress", "blue dress", ["floral"]),
        ("no stripes dress", "dress", ["stripes"]),
        ("dress without any stripes", "dress", ["stripes"]),
        ("dress without red stripes", "dress", ["red stripes"]),
        ("shirt but not in red", "shirt", ["red"]),
        ("shirt not red slim", "shirt slim", ["red"]),
        ("shirt not red or blue", "shirt", ["red", "blue"]),
        ("shirt not red nor blue", "shirt", ["red", "blue"]),
        ("shirt not red not blue", "shirt", ["red", "blue"]),
        ("skirt without dots and stripes", "skirt", ["dots", "stripes"]),
        ("skirt with dots and no stripes", "skirt with dots", ["stripes"]),
        ("skirt without dots but not red", "skirt", ["dots", "red"]),
    ],
)
def test_what_is_denied_is_parted_from_what_is_wanted(text: str, wanted: str, unwanted: list[str]):
    found = negation_of(text)
    assert found is not None
    assert (found.wanted, [" ".join(phrase) for phrase in found.unwanted]) == (wanted, unwanted)


@pytest.mark.parametrize(
    "text",
    ["", "red shirt", "notebook", "nordic knot", "not red", "without stripes", "no 7 cream",
     "shirt without", "shirt not", "lamp not 60w", "nonstick pan", "shirt and trousers"],
)  # fmt: skip
def test_query_that_denies_nothing_or_wants_nothing_is_left_whole(text: str):
    assert negation_of(text) is None
