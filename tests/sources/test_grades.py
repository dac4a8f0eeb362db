"""Grades of every scale as whole numbers from 0."""

import pandas as pd
import pytest

from smar.sources.grades import BELOW, NO_NUMBER, OUTSIDE, read_grades


def read(
    *values: str, scale: tuple[float, float] | str = "auto", **mapped: int
) -> list[int | None]:
    grades = read_grades(pd.Series(values, dtype=str), mapped, scale)
    return [None if pd.isna(grade) else int(grade) for grade in grades.grade]


@pytest.mark.parametrize(
    ("values", "grades"),
    [
        (["0", "1.0", "4", "10"], [0, 1, 4, 10]),  # grades already
        (["0", "0.5", "1.0"], [0, 2, 3]),  # 0 to 1
        (["1", "2.33", "3"], [0, 2, 3]),  # 1 to 3
        (["0", "2.33", "4"], [0, 2, 4]),  # averages of grades
        (["0", "50", "100", "16"], [0, 2, 3, 0]),  # percent
        (["E", "Substitute", "c", "irrelevant", "Partial"], [3, 2, 1, 0, 1]),
    ],
)
def test_scales_are_found(values: list[str], grades: list[int]):
    assert read(*values) == grades


def test_params_say_the_scale_and_the_labels():
    assert read("1", "2", "3", scale=(1, 3)) == [0, 2, 3]
    assert read("-1", "1", scale=(-1, 1)) == [0, 3]
    assert read("good", "-2", "1", Good=4, **{"-2": 0}) == [4, 0, 1]


@pytest.mark.parametrize(
    ("value", "reason", "scale"),
    [("", NO_NUMBER, "auto"), ("good", NO_NUMBER, "auto"), ("-2", BELOW, "auto"),
     ("1000", OUTSIDE, "auto"), ("4", OUTSIDE, (1, 3))],
)  # fmt: skip
def test_what_is_no_grade_says_what_to_set(value: str, reason: str, scale: str):
    grades = read_grades(pd.Series(["1", value]), {}, scale)
    assert grades.reason.tolist() == ["", reason]


def test_changed_grades_are_shown():
    grades = read_grades(pd.Series(["0.5", "0.5", "1"]), {}, "auto")
    assert grades.notes == [
        "grades on a scale from 0 to 1: 0.5 is 2 (2), 1 is 3 (1) "
        "(see ingest.judgements.scale and grades)"
    ]
    assert not read_grades(pd.Series(["0", "1.0", "3"]), {}, "auto").notes


@pytest.mark.parametrize(
    ("values", "grades"),
    [
        (["0,75", "0,2", "1"], [2, 1, 3]),
        (["95%", "10 %", "100%"], [3, 0, 3]),
        (["12,5 %", "100 %"], [0, 3]),
        (["True", "no", "YES", "false"], [1, 0, 1, 0]),
    ],
)
def test_decimal_commas_percent_and_yes_are_grades(values: list[str], grades: list[int]):
    found = read_grades(pd.Series(values), {}, "auto")
    assert found.grade.tolist() == grades
    assert set(found.reason) == {""}


def test_comma_beside_a_point_is_no_decimal():
    found = read_grades(pd.Series(["1,000", "2.5"]), {}, "auto")
    assert found.reason.tolist()[0] == NO_NUMBER
