"""Folders that are no data set are refused with all that is wrong; nothing else is overwritten."""

from pathlib import Path

import pandas as pd
import pytest

from smar.datasets.folders import find_source, look
from smar.datasets.preparing import MARK, prepare
from smar.datasets.registry import dataset_named
from smar.errors import DataError


def refusal(name: str, folder: Path) -> str:
    with pytest.raises(DataError) as error:
        find_source(dataset_named(name), folder)
    return str(error.value)


def test_folder_that_is_not_there(tmp_path: Path):
    assert "no such folder. Name the one that holds WANDS" in refusal("wands", tmp_path / "none")


def test_all_problems_of_a_folder_are_told_at_once(wands: Path):
    folder = wands / "dataset"
    (folder / "label.csv").unlink()
    (folder / "query.csv").write_text("id\ttext\n1\tboot\n")
    (folder / "product.csv").write_text("")
    message = refusal("wands", wands)
    assert "Get it from github.com/wayfair/WANDS" in message
    assert "product.csv: is empty" in message
    assert "query.csv: no column query_id, query; it has id, text" in message
    assert "no label.csv (judgements)" in message


def test_parquet_that_is_none_and_one_without_columns(esci: Path):
    pd.DataFrame({"query": ["boot"]}).to_parquet(esci / "shopping_queries_dataset_examples.parquet")
    (esci / "shopping_queries_dataset_products.parquet").write_bytes(b"<html>not found</html>")
    message = refusal("esci", esci)
    assert "no column query_id, product_id" in message
    assert "products.parquet: cannot be read as parquet" in message


def test_form_with_the_least_missing_is_the_one_meant(kagl: Path, kaggle: Path):
    assert find_source(dataset_named("kagl"), kagl).form == "parquet files of Marqo/KAGL"
    assert find_source(dataset_named("kagl"), kaggle).form == "Kaggle's styles.csv"
    (kaggle / "images").rename(kaggle / "pictures")
    message = refusal("kagl", kaggle)
    assert "no images (photographs, ID.jpg)" in message
    assert "as Kaggle's styles.csv (or as parquet files of Marqo/KAGL, or as a feed" in message


def test_rows_are_counted_where_that_costs_nothing(kagl: Path):
    looked = look(dataset_named("kagl"), kagl)
    assert looked is not None
    assert [one.rows for one in looked[1] if one.expected.key == "items"] == [12]


def test_target_that_holds_something_else_is_left_alone(tmp_path: Path, wands: Path):
    target = tmp_path / "to"
    target.mkdir()
    (target / "mine.txt").write_text("x")
    with pytest.raises(DataError, match="holds something else"):
        prepare(dataset_named("wands"), wands, target)
    assert [path.name for path in target.iterdir()] == ["mine.txt"]
    for place in (wands, wands.parent):
        with pytest.raises(DataError, match="would replace what is read"):
            prepare(dataset_named("wands"), wands, place)
    assert (wands / "dataset/product.csv").is_file()


def test_prepared_folder_is_replaced_whole_or_not_at_all(tmp_path: Path, wands: Path):
    target = tmp_path / "to"
    prepare(dataset_named("wands"), wands, target)
    before = (target / "products.jsonl").read_text()
    (wands / "dataset/product.csv").write_text(
        "product_id\tproduct_name\tproduct_class\tproduct_description\tproduct_features\n"
    )
    with pytest.raises(DataError, match="no item of part"):
        prepare(dataset_named("wands"), wands, target)
    assert (target / "products.jsonl").read_text() == before
    assert (target / MARK).is_file()
