"""Item texts: which words of an item the models see."""

import numpy as np
import pandas as pd
import pytest

from smar.data.text import FIELDS, _parts, field_starts, item_texts


def items(**fields: str) -> pd.DataFrame:
    """Return a table of one item."""
    row = {"title": "red boot", "brand": "", "category": "", "attributes": ""}
    return pd.DataFrame([row | fields])


def text_of(**fields: str) -> str:
    return item_texts(items(**fields))[0]


def test_text_is_title_brand_last_category_levels_and_attribute_values():
    text = text_of(brand="Acme", category="A > Shoes > Boots", attributes="gender: Women; size: M")
    assert text == "red boot ; Acme ; Shoes Boots ; Women M"


def test_empty_fields_leave_no_trace():
    assert text_of() == "red boot"
    assert text_of(attributes="size: M") == "red boot ; M"


@pytest.mark.parametrize(
    ("attributes", "kept"),
    [
        ("size: EU: 42", "EU: 42"),
        ("note: made in: Italy; size: M", "made in: Italy M"),
        ("ratio: 16:9", "16:9"),
        ("screen: 24 inch; 16:9 panel", "24 inch; 16:9 panel"),
        ("waterproof", "waterproof"),
        ("wash at 30:40: yes", "yes"),
    ],
)
def test_only_the_name_of_an_attribute_is_left_out(attributes: str, kept: str):
    assert text_of(attributes=attributes) == f"red boot ; {kept}"


def test_markers_name_the_fields_that_are_there():
    table = items(brand="Acme", attributes="size: M")
    marked = item_texts(table, markers=True)
    assert marked == ["[TITLE] red boot [BRAND] Acme [ATTRIBUTES] M"]


@pytest.mark.parametrize("markers", [False, True])
def test_fields_begin_where_field_starts_says(markers: bool):
    table = pd.concat(
        [
            items(brand="Acme", category="Shoes", attributes="size: M"),
            items(attributes="size: M"),
            items(category="Shoes"),
            items(),
        ]
    )
    texts = item_texts(table, markers=markers)
    starts = field_starts(table, markers=markers)
    assert starts.shape == (4, len(FIELDS))
    for text, row in zip(texts, starts, strict=True):
        ends = [*row[1:], len(text)]
        parts = [text[a:b] for a, b in zip(row, ends, strict=True)]
        assert "".join(parts) == text
        assert parts[0].endswith("red boot")
        for part, word in zip(parts[1:], ("Acme", "Shoes", "M"), strict=True):
            assert part == "" or part.endswith(word)
    assert (np.diff(starts, axis=1) >= 0).all()


def test_texts_of_many_items_are_their_parts_one_after_another():
    rng = np.random.default_rng(4)
    pieces = ["", "red", " ; ", "A > B > C", "A >B", "size: M; fit: slim", "\u00e9t\u00e9", " "]
    table = pd.DataFrame({name: rng.choice(pieces, 200) for name in FIELDS}, dtype=str)
    assert item_texts(table) == ["".join(parts) for parts in _parts(table, markers=False)]
    assert item_texts(table.iloc[:0]) == []
