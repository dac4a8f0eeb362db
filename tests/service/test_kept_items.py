"""Items that processes share: the same as those that were read, whole or not at all."""

import json
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pytest

from smar.data import schema
from smar.service.fields import Fields
from smar.service.items import ItemTable
from smar.service.kept_items import KEPT, KeptItems, find_kept, keep, key_of, piece_of
from tests.service.shop import item_frame

NUM = 60


@pytest.fixture(scope="module")
def items() -> ItemTable:
    table = pa.Table.from_pandas(item_frame(NUM), schema=schema.ITEMS, preserve_index=False)
    shas = [f"sha{row}" if row % 5 else "" for row in range(NUM)]
    return ItemTable(table, shas)


@pytest.fixture
def kept(items: ItemTable, tmp_path: Path) -> KeptItems:
    found = keep(tmp_path, key_of("a"), lambda: items.to_keep(Fields(items.table).nested))
    assert found is not None
    return found


def test_what_is_kept_is_what_was_read(items: ItemTable, kept: KeptItems):
    rows = np.arange(NUM)
    mapped = ItemTable.of_kept(kept)
    assert mapped.table.schema.equals(items.table.schema)
    assert mapped.read(rows) == items.read(rows)
    assert mapped.ids(rows[::7]) == [f"i{row:04d}" for row in rows[::7]]
    shown = [items.pictures_of(row) for row in range(NUM)]
    assert [mapped.pictures_of(row) for row in range(NUM)] == shown
    assert [] in shown
    assert ["sha1"] in shown
    assert [mapped.row(item_id) for item_id in ("i0003", "none")] == [3, -1]


def test_bytes_of_an_item_are_its_json(items: ItemTable, kept: KeptItems):
    rows = np.array([0, 1, 3, NUM - 1])
    for table in (items, ItemTable.of_kept(kept)):
        for row, piece in zip(rows.tolist(), table.pieces(rows), strict=True):
            item = table.read(np.array([row]))[0]
            addresses = [f"/pictures/{sha}" for sha in items.pictures_of(row)]
            assert orjson.loads(b"{%b}" % piece) == item | {"link": "", "pictures": addresses}
    assert ItemTable.of_kept(kept).pieces(rows[:0]) == []


def test_link_of_the_feed_is_among_the_bytes():
    more = {"link": "https://shop.example/1", "stars": "5"}
    piece = piece_of({"item_id": "a", "more": more}, ["s"])
    assert json.loads(b"{%b}" % piece)["link"] == "https://shop.example/1"


def test_fields_within_fields_are_those_that_are_read(items: ItemTable, kept: KeptItems):
    read, known = Fields(items.table), Fields(kept.table, kept.nested)
    assert known.names == read.names
    for name in read.nested:
        theirs, ours = known.column(name), read.column(name)
        assert theirs.keys().tolist() == ours.keys().tolist()
        assert theirs.as_numbers().tolist() == pytest.approx(ours.as_numbers(), nan_ok=True)


def test_file_that_is_cut_or_of_another_key_is_made_again(
    items: ItemTable, kept: KeptItems, tmp_path: Path
):
    one, other = (tmp_path / f"{key_of(name)}.arrow" for name in "ab")
    assert kept.table.num_rows == NUM
    other.write_bytes(one.read_bytes())
    assert find_kept(tmp_path, key_of("b")) is None
    one.write_bytes(one.read_bytes()[:-200])
    assert find_kept(tmp_path, key_of("a")) is None
    again = keep(tmp_path, key_of("a"), lambda: items.to_keep(Fields(items.table).nested))
    assert again is not None
    assert again.table.equals(items.table)


def test_items_of_long_ago_are_forgotten(items: ItemTable, tmp_path: Path):
    for number in range(KEPT + 2):
        assert keep(tmp_path, key_of(str(number)), lambda: items.to_keep({})) is not None
    assert len(list(tmp_path.iterdir())) == KEPT
    assert find_kept(tmp_path, key_of(str(KEPT + 1))) is not None
    assert find_kept(tmp_path, key_of("0")) is None


def test_without_room_each_process_holds_its_own(items: ItemTable, tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    assert keep(tmp_path / "file", key_of("a"), lambda: items.to_keep({})) is None
