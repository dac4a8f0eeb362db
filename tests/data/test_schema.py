"""Tables on disk: what is read must be what the schema says, or an earlier release's."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from smar.data import schema
from smar.errors import ArtifactError

EARLIER = [
    "item_id", "title", "description", "brand", "category", "attributes", "group_id", "price",
    "currency", "image_ids",
]  # fmt: skip


def items(names: list[str]) -> pa.Table:
    fields = [schema.ITEMS.field(name) for name in names]
    values = {pa.string(): "x", pa.float64(): 9.5, pa.list_(pa.int64()): [1]}
    return pa.table([pa.array([values[f.type]], f.type) for f in fields], schema=pa.schema(fields))


def test_item_table_of_an_earlier_release_is_read_with_what_it_does_not_know(tmp_path: Path):
    schema.write_arrow(tmp_path / "items.parquet", items(EARLIER))
    frame = schema.read_table(tmp_path / "items.parquet", schema.ITEMS)
    assert list(frame.columns) == schema.ITEMS.names
    assert frame.loc[0, "title"] == "x"
    assert frame.loc[0, "availability"] == ""
    assert pd.isna(frame.loc[0, "sale_price"])


def test_table_without_a_column_that_always_was_is_refused(tmp_path: Path):
    schema.write_arrow(tmp_path / "items.parquet", items([n for n in EARLIER if n != "title"]))
    with pytest.raises(ArtifactError, match="columns are"):
        schema.read_table(tmp_path / "items.parquet", schema.ITEMS)
