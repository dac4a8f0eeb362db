"""Embeddings on disk: what makes a row another one, and whose rows may be taken over."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smar.artifacts import Manifest
from smar.data.images import ImageStore
from smar.index.store import EmbeddingStore, content_shas, previous_store, write_store


@pytest.mark.parametrize(
    "change",
    [
        lambda item: item.update(title="another title"),
        lambda item: item.update(image_ids=np.array([7], np.int64)),
        lambda item: item.update(image_ids=item["image_ids"][::-1]),
        lambda item: item.update(image_ids=np.array([], np.int64)),
    ],
    ids=["text", "other picture", "other order", "no picture"],
)
def test_content_is_the_text_and_the_pictures_in_order(
    tiny_items: pd.DataFrame, tiny_images: ImageStore, change
):
    before = content_shas(tiny_items, tiny_images)
    row = 1  # has two pictures
    item = tiny_items.iloc[row].to_dict()
    change(item)
    changed = tiny_items.copy()
    for name, value in item.items():
        changed.at[row, name] = value
    after = content_shas(changed, tiny_images)
    assert after[row] != before[row]
    assert [*after[:row], *after[row + 1 :]] == [*before[:row], *before[row + 1 :]]


def test_price_is_no_content(tiny_items: pd.DataFrame, tiny_images: ImageStore):
    dearer = tiny_items.assign(price=99.0)
    assert content_shas(dearer, tiny_images) == content_shas(tiny_items, tiny_images)


def test_embeddings_of_another_model_are_not_taken_over(tmp_path: Path):
    rows = np.eye(3, 4, dtype=np.float32)
    store = EmbeddingStore(["a", "b", "c"], ["x", "y", "z"], rows, rows, rows, model_sha="one")
    write_store(tmp_path / "store", store, Manifest(kind="embeddings"))
    taken = previous_store(tmp_path / "store", "one")
    assert taken is not None
    assert taken.item_ids == ["a", "b", "c"]
    assert previous_store(tmp_path / "store", "two") is None
    assert previous_store(tmp_path / "none", "one") is None
