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
    values |= {field.type: None for field in fields if field.type not in values}
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


def test_table_with_an_unknown_column_is_of_no_earlier_release(tmp_path: Path):
    """A bit of a column's name, flipped, does not make its values unknown."""
    table = items(schema.ITEMS.names)
    names = ["availabilitx" if name == "availability" else name for name in table.column_names]
    schema.write_arrow(tmp_path / "items.parquet", table.rename_columns(names))
    with pytest.raises(ArtifactError, match="columns are"):
        schema.read_table(tmp_path / "items.parquet", schema.ITEMS)


def pairs(size: int) -> pa.Table:
    texts = [[f"{name}{row % 7}" for row in range(size)] for name in schema.SYNTHETIC.names]
    return pa.Table.from_arrays([pa.array(t, pa.string()) for t in texts], schema=schema.SYNTHETIC)


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 25])
@pytest.mark.parametrize("rows", [1, 4, 100])
def test_table_in_parts_is_the_file_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, rows: int
):
    monkeypatch.setattr(schema, "_GROUP_ROWS", 10)
    table = pairs(size)
    parts = table.to_batches(rows)
    assert schema.write_batches(tmp_path / "parts", schema.SYNTHETIC, parts) == size
    schema.write_arrow(tmp_path / "whole", table)
    if size <= 10:
        assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
    assert schema.read_arrow(tmp_path / "parts").equals(table)
    assert schema.num_rows(tmp_path / "parts") == size
    columns = ("item_id", "query")
    read = schema.read_batches(tmp_path / "parts", schema.SYNTHETIC, columns, rows=3)
    assert pa.Table.from_batches(read, table.select(columns).schema).equals(table.select(columns))


@pytest.mark.parametrize("rows", [1, 4, 100])
def test_coded_columns_are_texts_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
):
    monkeypatch.setattr(schema, "_GROUP_ROWS", 10)
    coded = schema.coded(schema.SYNTHETIC, ("kind", "split"))
    names = pa.array(["kind0", "kind1", "none has this"])
    numbers = pa.array([row % 2 for row in range(25)], pa.int8())
    table = pairs(25).select(["query", "item_id"])
    for name in ("kind", "split"):
        table = table.append_column(name, pa.DictionaryArray.from_arrays(numbers, names))
    table = table.cast(coded)
    for place, size in (("parts", rows), ("whole", 25)):
        schema.write_batches(tmp_path / place, coded, table.to_batches(size))
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
    read = schema.read_columns(tmp_path / "parts", schema.SYNTHETIC)
    assert read["split"].to_pylist() == [f"kind{row % 2}" for row in range(25)]
    schema.write_batches(tmp_path / "none", coded, [])
    assert schema.num_rows(tmp_path / "none") == 0


def test_parts_that_fail_leave_what_was_there(tmp_path: Path):
    def parts():
        yield from pairs(3).to_batches()
        raise ValueError("no more")

    schema.write_arrow(tmp_path / "table", pairs(2))
    with pytest.raises(ValueError, match="no more"):
        schema.write_batches(tmp_path / "table", schema.SYNTHETIC, parts())
    assert schema.read_arrow(tmp_path / "table").equals(pairs(2))


def test_columns_of_another_type_are_refused(tmp_path: Path):
    schema.write_arrow(tmp_path / "table", pa.table({"query": [1], "item_id": ["a"]}))
    with pytest.raises(ArtifactError, match=r"query: int64\nexpected\nquery: string"):
        next(schema.read_batches(tmp_path / "table", schema.SYNTHETIC, ("query",)))
    with pytest.raises(ArtifactError, match="columns are"):
        next(schema.read_batches(tmp_path / "table", schema.SYNTHETIC, ("split",)))


def test_flipped_byte_is_noticed_when_parts_are_read(tmp_path: Path):
    path = tmp_path / "table"
    schema.write_arrow(path, pairs(500))
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="not a readable parquet file"):
        list(schema.read_batches(path, schema.SYNTHETIC, schema.SYNTHETIC.names))


def test_stored_table_reads_what_is_asked_for_and_is_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "searches.parquet"
    columns = {"search_id": ["a", "b", "c"], "query_id": ["q", "q", "r"], "client_id": [""] * 3}
    times = pa.array([1, None, 3], pa.timestamp("us", tz="UTC"))
    whole = pa.table(columns | {"timestamp": times, "shown": [["i"], [], [None]]}, schema.SEARCHES)
    schema.write_arrow(path, whole)
    stored = schema.StoredTable(path)
    with monkeypatch.context() as nothing:
        nothing.setattr(schema, "_opened", None)
        assert (len(stored), stored.num_rows, stored.schema) == (3, 3, whole.schema)
        assert stored.null_count("shown") == 0
    with monkeypatch.context() as no_other:
        no_other.setattr(schema, "read_arrow", None)
        assert stored["shown"].equals(whole["shown"])
        assert stored.select(["timestamp", "query_id"]).equals(whole.select([3, 1]))
        assert stored.null_count("timestamp") == 1
    assert stored.take([2, 0]).equals(whole.take([2, 0]))
    assert stored.slice(1).equals(whole.slice(1))
    assert stored.whole() is stored.whole()
    with pytest.raises(KeyError):
        stored["nothing"]
    with pytest.raises(AttributeError):
        stored.nothing  # noqa: B018
