"""Embeddings of a catalogue that changed are those of encoding all of it, part by part."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smar.errors import ShapeError
from smar.index.refresh import refresh
from smar.index.store import PARTS
from smar.models.embeddings import ItemEmbeddings


def encoded(items: pd.DataFrame, size: int) -> Iterator[ItemEmbeddings]:
    """Yield vectors that only the id tells, `size` items a part."""
    numbers = items["item_id"].str[1:].astype(int).to_numpy()
    for start in range(0, max(1, len(numbers)), size):
        one = np.eye(8, dtype=np.float32)[numbers[start : start + size] % 8]
        yield ItemEmbeddings(one, -one, one[:, ::-1])


def shop(numbers: range) -> pd.DataFrame:
    return pd.DataFrame({"item_id": [f"p{number}" for number in numbers]})


def test_parts_of_any_size_give_the_same_rows(tmp_path: Path):
    items = shop(range(11))
    whole = next(encoded(items, 11))
    for size in (1, 3, 11, 40):
        store, count = refresh(
            items, list(items["item_id"]), None, "m", lambda new, size=size: encoded(new, size),
            tmp_path,
        )  # fmt: skip
        assert count == 11
        for name in PARTS:
            np.testing.assert_array_equal(getattr(store, name), getattr(whole, name))
    assert not [*tmp_path.iterdir()], "the rows lie in files without a name"


def test_rows_of_equal_content_are_taken_over_and_the_others_encoded(tmp_path: Path):
    before = shop(range(9))
    store, _ = refresh(
        before, list(before["item_id"]), None, "m", lambda new: encoded(new, 4), tmp_path
    )
    now, asked = shop(range(3, 15)), []

    def encode(new: pd.DataFrame) -> Iterator[ItemEmbeddings]:
        asked.extend(new["item_id"])
        yield from encoded(new, 4)

    after, count = refresh(now, list(now["item_id"]), store, "m", encode, tmp_path)
    assert asked == [f"p{number}" for number in range(9, 15)]
    assert count == 6
    np.testing.assert_array_equal(after.multimodal, next(encoded(now, 12)).multimodal)


@pytest.mark.parametrize("lost", [1, -1])
def test_another_number_of_rows_is_refused(tmp_path: Path, lost: int):
    items = shop(range(5))

    def encode(_: pd.DataFrame) -> Iterator[ItemEmbeddings]:
        yield from encoded(shop(range(5 - lost)), 2)

    with pytest.raises(ShapeError, match=rf"{5 - lost} rows were encoded, expected 5"):
        refresh(items, list(items["item_id"]), None, "m", encode, tmp_path)
