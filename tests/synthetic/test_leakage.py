"""Leaks that are planted are found, and what is allowed is not one."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from smar.synthetic import leakage
from smar.synthetic.leakage import leaked_texts

CLEAN = [
    ("red boots", "train"),
    ("blue bag", "validation"),
    ("green hat", "test"),
    ("hats green", "apart"),
    ("red boot", "trial"),
]
MADE = [("wool scarf", "train"), ("silk tie", "validation")]


def leaks(queries: list[tuple[str, str]], made: list[tuple[str, str]]) -> dict[str, list[str]]:
    columns = ["query", "split"]
    batches = pa.table(
        [pa.array([row[place] for row in made], pa.string()) for place in range(2)], names=columns
    ).to_batches(1)
    found = leaked_texts(pd.DataFrame(queries, columns=columns), lambda: batches)
    return {name: texts for name, texts in found.items() if texts}


def test_splits_by_stems_do_not_leak_and_trial_queries_may_be_trained_on():
    assert leaks(CLEAN, MADE) == {}
    assert leaks([], []) == {}


@pytest.mark.parametrize(
    ("text", "split", "leaked", "name"),
    [
        ("hats green", "train", "green hat", "test and train"),
        ("green hats", "validation", "green hat", "test and validation"),
        ("bags blue", "train", "blue bag", "validation and train"),
        ("bag blue", "trial", "blue bag", "validation and trial"),
    ],
)
def test_logged_text_with_the_stems_of_a_held_out_one_is_found(
    text: str, split: str, leaked: str, name: str
):
    assert leaks([*CLEAN, (text, split)], MADE)[name] == [leaked]


@pytest.mark.parametrize(
    ("text", "leaked", "name"),
    [
        ("green hats", "green hat", "held-out and synthetic train"),
        ("blue bags", "blue bag", "held-out and synthetic train"),
        ("boot red", "red boot", "held-out and synthetic train"),
        ("tie silk", "silk tie", "synthetic validation and synthetic train"),
    ],
)
def test_made_text_with_the_stems_of_a_held_out_one_is_found(text: str, leaked: str, name: str):
    assert leaked in leaks(CLEAN, [*MADE, (text, "train")])[name]


@pytest.mark.parametrize("shift", [0, 40])
def test_numbers_are_looked_for_as_numpy_looks_for_them(
    shift: int, monkeypatch: pytest.MonkeyPatch
):
    """Numbers whose first bits say much, and numbers whose first bits are all the same."""
    monkeypatch.setattr(leakage, "_AT_ONCE", 7)
    rng = np.random.default_rng(shift)
    seen = set()
    for size in (0, 1, 3, 20):
        for _ in range(40):
            numbers, some = (
                rng.integers(2**60, size=n, dtype=np.uint64) >> np.uint64(shift) for n in (30, size)
            )
            ends = np.array([1, 2**64 - 1], np.uint64)
            numbers[:2], some = rng.choice(np.concatenate([some, ends]), 2), np.unique(some)
            chosen = rng.random(len(numbers)) < 0.5
            expected = bool(np.isin(numbers[chosen], some).any())
            assert leakage.shares_any(numbers, chosen, some) == expected
            seen.add(expected)
    assert seen == {True, False}
