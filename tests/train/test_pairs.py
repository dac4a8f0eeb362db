"""Pairs in files: the same rows, order and texts as one table of them all would give."""

import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from smar.errors import DataError
from smar.train import pairs as module
from smar.train.pairs import Pairs, QueryTexts, gather_synthetic
from smar.train.sampling import _Pool

IDS = pd.Index([f"i{row}" for row in range(40)])


def made(num_pairs: int, seed: int, *, by_item: bool) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    items = rng.integers(len(IDS), size=num_pairs)
    texts = [f"{'wort' * (n % 3)} \u00e9{n}" for n in rng.integers(60, size=num_pairs)]
    rows = np.sort(items) if by_item else items
    return pd.DataFrame({"query": texts, "item_id": IDS[rows]})


@pytest.mark.parametrize("by_item", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 1000])
@pytest.mark.parametrize("num_pairs", [0, 1, 300])
def test_pairs_and_texts_equal_those_of_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, by_item: bool, rows: int, num_pairs: int
):
    monkeypatch.setattr(module, "_BLOCK", 16)
    frame = made(num_pairs, 3, by_item=by_item)
    logged = ["wort \u00e91", "only logged", " \u00e96"]
    table = pa.Table.from_pandas(frame, preserve_index=False).slice(0)
    texts, found = gather_synthetic(table.to_batches(rows), logged, IDS, tmp_path)
    code, distinct = pd.factorize(pd.Series([*logged, *frame["query"]], dtype=object))
    assert list(texts) == [texts[row] for row in range(len(texts))] == list(distinct)
    items = IDS.get_indexer(frame["item_id"])
    expected = Pairs.of(code[len(logged) :], items, np.ones(num_pairs), len(IDS))
    assert np.array_equal(found.query, expected.query)
    assert np.array_equal(found.item, expected.item)
    assert np.array_equal(found.offsets, expected.offsets)
    assert not list(tmp_path.iterdir())


def test_batches_that_are_part_of_larger_ones_are_read_from_where_they_begin(tmp_path: Path):
    table = pa.table({"query": ["a", "bb", "ccc"], "item_id": ["i0", "i1", "i2"]})
    texts, _ = gather_synthetic(table.slice(1).to_batches(), [], IDS, tmp_path)
    assert list(texts) == ["bb", "ccc"]


def test_pair_of_an_unknown_item_is_refused(tmp_path: Path):
    table = pa.table({"query": ["a", "b"], "item_id": ["i1", "lost"]})
    with pytest.raises(DataError, match=r"1 of 2 items are not in the catalogue \(first: 'lost'"):
        gather_synthetic(table.to_batches(), [], IDS, tmp_path)


def test_equal_weights_need_no_sum_of_weights():
    rng = np.random.default_rng(0)
    item = np.sort(rng.integers(30, size=500))
    plain = Pairs.of(np.arange(500), item, np.ones(500), 40)
    items, position = rng.integers(40, size=2000), rng.random(2000)
    position[:10] = 0.0
    for one, other in zip(
        _Pool(plain).pick(items, position),
        _Pool(Pairs(plain.query, plain.offsets)).pick(items, position),
        strict=True,
    ):
        has_pairs = np.diff(plain.offsets)[items] > 0
        assert np.array_equal(one[has_pairs], other[has_pairs])


def test_pairs_of_items_come_with_the_place_of_their_item():
    pairs = Pairs.of(np.array([5, 3, 4, 9]), np.array([2, 0, 0, 2]), np.arange(4.0), 3)
    query, owner = pairs.of_items(np.array([2, 1, 0]))
    assert query.tolist() == [5, 9, 3, 4]
    assert owner.tolist() == [0, 0, 2, 2]
    assert pairs.item_of(np.arange(4)).tolist() == pairs.item.tolist() == [0, 0, 2, 2]
    assert pairs.grade_of(np.array([0, 3])).tolist() == [1.0, 3.0]


def test_texts_are_a_sequence():
    content = np.frombuffer("z\u00fcrich".encode(), np.uint8)
    texts = QueryTexts(["bern"], content, np.array([0]), np.array([len(content)]))
    assert list(texts) == texts[:] == ["bern", "z\u00fcrich"]
    assert texts.index("z\u00fcrich") == 1


def test_disk_without_room_is_an_error_and_no_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    table = pa.table({"query": ["a"], "item_id": ["i0"]})
    with pytest.raises(OSError, match="No space left"):
        gather_synthetic(table.to_batches(), [], IDS, tmp_path)
