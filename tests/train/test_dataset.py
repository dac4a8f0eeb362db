"""Training pairs, grades and what counts as visual."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from smar.train.dataset import build_training_data, is_visual


def test_is_visual_takes_a_category_and_what_lies_below_it():
    category = pd.Series(["Shoes", "Shoes > Boots", "Shoe Care", ""])
    assert is_visual(category, ["Shoes"]).tolist() == [True, True, False, False]


@pytest.fixture
def items() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item_id": ["a", "b", "c"],
            "category": ["Shoes", "Books", "Shoes"],
            "image_ids": [np.array([0]), np.array([], np.int64), np.array([0])],
        }
    )


def test_training_data_keeps_real_and_synthetic_pairs_apart(items: pd.DataFrame, tmp_path: Path):
    data = build_training_data(
        items,
        ["red boot", "a novel", "red boot"],
        graded=pd.DataFrame({"query": ["boot", "novel"], "item_id": ["c", "b"], "grade": [4.0, 2]}),
        synthetic=pa.table({"query": ["red", "boot"], "item_id": ["a", "a"]}).to_batches(),
        visual_categories=["Shoes"],
        folder=tmp_path,
    )
    assert [data.queries[q] for q in data.real.query] == ["novel", "boot"]
    assert data.real.item.tolist() == [1, 2]
    assert data.real.weight.tolist() == [2.0, 4.0]
    assert sorted(data.queries[q] for q in data.synthetic.query) == ["boot", "red"]
    assert data.visual.tolist() == [True, False, True]


def test_words_of_an_item_include_those_it_was_engaged_for(items: pd.DataFrame, tmp_path: Path):
    data = build_training_data(
        items,
        ["red boot", "a novel", "red boot"],
        graded=pd.DataFrame({"query": ["blue boot"], "item_id": ["b"], "grade": [4.0]}),
        synthetic=pa.table({"query": ["red"], "item_id": ["b"]}).to_batches(),
        visual_categories=[],
        folder=tmp_path,
    )
    query, items_ = np.array([data.queries.index("blue boot")]), np.arange(3)
    assert data.holds_words(query, items_).tolist() == [[False, True, False]]
    assert data.pairs_hold_words(np.repeat(query, 3), items_).tolist() == [False, True, False]


def test_training_data_groups_items_with_equal_text_and_pictures(
    items: pd.DataFrame, tmp_path: Path
):
    data = build_training_data(
        items,
        ["red boot", "a novel", "red boot"],
        graded=pd.DataFrame({"query": ["boot"], "item_id": ["c"], "grade": [4.0]}),
        synthetic=(),
        visual_categories=[],
        folder=tmp_path,
    )
    assert data.group[0] == data.group[2] != data.group[1]
