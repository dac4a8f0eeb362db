"""Columns of a table for a terminal stand below each other."""

from smar.pages.text_table import aligned


def test_columns_are_as_wide_as_their_widest_cell():
    rows = [("#", "title"), ("1", "Red boot"), ("12", "")]
    assert aligned(rows) == ["#   title", "1   Red boot", "12"]


def test_numbers_stand_at_the_right_edge():
    rows = [("task", "value"), ("colour", "0.5"), ("a", "12.25")]
    assert aligned(rows, left=1) == ["task    value", "colour    0.5", "a       12.25"]
