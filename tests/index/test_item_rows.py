"""Item rows in two parts are those put side by side, and their keys those that hashes give."""

import numpy as np
import pytest

from smar.content_keys import keys_of_rows
from smar.index import item_rows
from smar.index.item_rows import EarlierRows, ItemRows, keys_of_items

D = 6


def rows_of(rng: np.random.Generator, number: int) -> ItemRows:
    return ItemRows(*rng.standard_normal((2, number, D)).astype(np.float32))


def side_by_side(rows: ItemRows) -> np.ndarray:
    return np.concatenate([rows.text, rows.multimodal], axis=1)


def test_some_rows_and_all_of_them_are_those_of_one_array(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(item_rows, "_AT_ONCE", 4)
    rows = rows_of(np.random.default_rng(0), 11)
    whole = side_by_side(rows)
    assert (len(rows), rows.shape) == (11, (11, 2 * D))
    np.testing.assert_array_equal(rows[3:7], whole[3:7])
    np.testing.assert_array_equal(rows[np.array([9, 0, 9])], whole[[9, 0, 9]])
    np.testing.assert_array_equal(np.concatenate([*rows.blocks()]), whole)


@pytest.mark.parametrize("seed", range(6))
def test_keys_are_hashes_whatever_was_edited(seed: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(item_rows, "_AT_ONCE", 4)
    rng = np.random.default_rng(seed)
    before = side_by_side(rows_of(rng, 30))
    places = np.arange(30)[rng.random(30) < 0.8] if seed else np.arange(30)
    places = np.concatenate([places, np.full(seed, -1)])
    if seed % 2:
        rng.shuffle(places)
    now = np.where(places[:, None] < 0, np.float32(0.5), before[places])
    now[rng.integers(len(now), size=4), rng.integers(2 * D, size=4)] += 1
    rows = ItemRows(now[:, :D], now[:, D:])
    # As a file of Faiss has them: at no multiple of four bytes.
    held = np.frombuffer(b"x" + before.tobytes(), np.uint8)[1:]
    vectors = np.ndarray(before.shape, np.float32, held)
    earlier = EarlierRows(vectors, keys_of_rows(before), places)
    hashed: list[int] = []

    def spy(some: np.ndarray) -> np.ndarray:
        hashed.append(len(some))
        return keys_of_rows(some)

    monkeypatch.setattr(item_rows, "keys_of_rows", spy)
    np.testing.assert_array_equal(keys_of_items(rows, earlier), keys_of_rows(now))
    assert sum(hashed) <= 4 + seed


def test_zero_of_another_sign_is_another_row():
    zero = np.zeros((1, D), np.float32)
    before = EarlierRows(
        np.zeros((1, 2 * D), np.float32), keys_of_rows(np.zeros((1, 2 * D), np.float32)),
        np.zeros(1, np.int64),
    )  # fmt: skip
    rows = ItemRows(-zero, zero)
    np.testing.assert_array_equal(keys_of_items(rows, before), keys_of_rows(rows[0:1]))


@pytest.mark.parametrize("length", [D, 0])
def test_rows_of_another_length_or_none_are_hashed(length: int):
    rows = rows_of(np.random.default_rng(1), 3)
    vectors = np.empty((length and 3, 2 * D + length), np.float32)
    earlier = EarlierRows(vectors, np.empty((len(vectors), 2), np.uint64), np.full(3, -1))
    np.testing.assert_array_equal(keys_of_items(rows, earlier), keys_of_rows(side_by_side(rows)))
