"""Samples of hashes say how much of a table changed."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from smar.data import schema
from smar.index import basis
from smar.index.basis import MOST, Hashed, basis_of, share_changed, smallest


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


@pytest.mark.parametrize("rows", [0, 1, MOST, 20 * MOST, 100 * MOST])
def test_smallest_hashes_are_those_of_all_in_order(rows: int):
    some = hashes(np.random.default_rng(2), rows)
    for of in (some, np.repeat(some, 3), some // np.uint64(2**40), some | np.uint64(2**63)):
        assert smallest(of).tolist() == np.unique(of)[:MOST].tolist()


def tables(rng: np.random.Generator, rows: int) -> dict[str, pa.Table]:
    """Return tables whose rows are few different ones, so that some come again."""
    numbers = rng.integers(40, size=rows)
    return {
        "queries": pa.table(
            {
                "query_id": [f"q{n}" for n in range(rows)],
                "query": [f"boot {n}" for n in numbers],
                "split": ["train"] * rows,
                "num_searches": numbers,
            },
            schema=schema.QUERIES,
        ),
        "engagements": pa.table(
            {
                "search_id": [f"s{n}" for n in numbers],
                "query_id": ["q"] * rows,
                "item_id": [f"i{n}" for n in numbers],
                "action": ["click"] * rows,
                "position": [None if n % 3 else n for n in numbers.tolist()],
                "timestamp": pa.nulls(rows, pa.timestamp("us", tz="UTC")),
            },
            schema=schema.ENGAGEMENTS,
        ),
        "judgements": pa.table(
            {
                "query_id": [f"t{n}" for n in numbers],
                "item_id": ["i"] * rows,
                "grade": numbers % 4,
            },
            schema=schema.JUDGEMENTS,
        ),
    }


def of_all(held: dict[str, pa.Table], vectors: np.ndarray) -> dict[str, list[int]]:
    found = {"items": vectors[:, 0]}
    for name, columns in basis.COLUMNS.items():
        frame = held[name].select(list(columns)).to_pandas()
        found[name] = pd.util.hash_pandas_object(frame, index=False).to_numpy(np.uint64)
    return {name: np.unique(rows)[:MOST].tolist() for name, rows in found.items()}


def test_blocks_that_an_earlier_run_hashed_change_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(basis, "_BLOCK", 7)
    rng, before = np.random.default_rng(3), dict[str, Hashed]()
    held = tables(rng, 30)
    for step in range(8):
        vectors = rng.integers(2**63, size=(5, 2), dtype=np.uint64)
        found, before = basis_of(held.__getitem__, vectors, before)
        told = {name: rows.tolist() for name, rows in found.items()}
        assert told == of_all(held, vectors)
        again, same = basis_of(held.__getitem__, vectors, before)
        assert {name: rows.tolist() for name, rows in again.items()} == told
        assert all({*same[name].by_block()} == {*before[name].by_block()} for name in before)
        more = tables(rng, int(rng.integers(1, 12)))
        first = int(rng.integers(3)) if step % 3 == 2 else 0  # rows go from the front
        held = {name: pa.concat_tables([held[name].slice(first), more[name]]) for name in held}


def test_only_blocks_that_are_other_ones_are_hashed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(basis, "_BLOCK", 10)
    rng, hashed = np.random.default_rng(4), []
    monkeypatch.setattr(
        basis, "_hashed", lambda block, own=basis._hashed: hashed.append(len(block)) or own(block)
    )
    held, vectors = tables(rng, 40), np.zeros((1, 2), np.uint64)
    before = basis_of(held.__getitem__, vectors)[1]
    assert len(hashed) == 12
    more = tables(rng, 4)
    grown = {name: pa.concat_tables([held[name], more[name]]) for name in held}
    hashed.clear()
    basis_of(grown.__getitem__, vectors, before)
    assert hashed == [4, 4, 4]


def test_a_table_that_is_what_it_was_is_not_read():
    rng = np.random.default_rng(6)
    held, vectors = tables(rng, 40), np.zeros((1, 2), np.uint64)
    told, before = basis_of(held.__getitem__, vectors)
    others = tables(rng, 40)
    del others["queries"]
    found, _ = basis_of(others.__getitem__, vectors, before, {"queries"})
    assert found["queries"].tolist() == told["queries"].tolist()
    assert found["judgements"].tolist() != told["judgements"].tolist()


def test_hash_of_a_row_is_of_the_columns_named():
    held = tables(np.random.default_rng(5), 10)
    other = held["queries"].set_column(3, "num_searches", pa.array(range(10), pa.int64()))
    vectors = np.zeros((1, 2), np.uint64)
    one, two = (
        basis_of((held | {"queries": each}).__getitem__, vectors)[0]
        for each in (held["queries"], other)
    )
    assert one["queries"].tolist() == two["queries"].tolist()
    split = held["queries"].set_column(2, "split", pa.array(["test"] * 10, pa.string()))
    three = basis_of((held | {"queries": split}).__getitem__, vectors)[0]
    assert not {*one["queries"].tolist()} & {*three["queries"].tolist()}
