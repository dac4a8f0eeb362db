"""Samples of hashes say how much of a table changed."""

import numpy as np
import pandas as pd
import pytest

from smar.data import schema
from smar.index.basis import MOST, hashes_of, share_changed, smallest


def hashes(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.integers(2**64, size=rows, dtype=np.uint64)


@pytest.mark.parametrize("rows", [1000, 20_000])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.2])
def test_share_of_changed_rows_is_told(rows: int, share: float):
    rng = np.random.default_rng(0)
    before = hashes(rng, rows)
    now = np.concatenate([before[int(share * rows) :], hashes(rng, int(share * rows))])
    told = share_changed({"items": smallest(before)}, {"items": smallest(now)})
    exact = rows <= MOST
    assert told == pytest.approx(share, abs=1e-9 if exact else 4 * np.sqrt(0.2 * 0.8 / MOST))
    assert (told == 0) == (share == 0)


def test_rows_that_came_or_went_count_and_the_largest_share_is_told():
    rng = np.random.default_rng(1)
    rows = smallest(hashes(rng, 100))
    assert share_changed({"a": rows}, {"a": rows[:90]}) == pytest.approx(0.1)
    assert share_changed({"a": rows[:90]}, {"a": rows}) == pytest.approx(0.1)
    two = {"a": rows, "b": rows}
    assert share_changed(two, {"a": rows[:99], "b": rows[:80]}) == pytest.approx(0.2)


def test_table_that_was_empty_changed_whole():
    none, some = np.empty(0, np.uint64), np.array([3], np.uint64)
    assert share_changed({"a": none}, {"a": none}) == 0
    assert share_changed({"a": none}, {"a": some}) == 1
    assert share_changed({"a": some}, {"a": none}) == 1


def test_hash_of_a_row_is_of_the_columns_named(tmp_path):
    rows = [("q1", "boot", "train", 3), ("q2", "boot", "train", 4), ("q3", "sofa", "test", 4)]
    frame = pd.DataFrame(rows, columns=schema.QUERIES.names)
    schema.write_table(tmp_path / "queries.parquet", frame, schema.QUERIES)
    first, second, third = hashes_of(tmp_path / "queries.parquet", ("query", "split"))
    assert first == second != third
