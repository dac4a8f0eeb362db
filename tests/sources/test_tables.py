"""Tables of every format and encoding: no row shifted, swallowed or silently changed."""

import bz2
import gzip
import json
import lzma
from decimal import Decimal
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smar.errors import DataError
from smar.sources.cells import as_text
from smar.sources.delimited import RowReader, sniff
from smar.sources.tables import Table, format_of, read_table


def read(folder: Path, content: str | bytes, name: str = "t.csv", **settings: str) -> Table:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, **settings)


def cells(table: Table) -> list[list[str]]:
    return table.frame.to_numpy().tolist()


def test_row_with_a_separator_too_many_is_set_aside_and_the_others_stay_in_place(tmp_path: Path):
    table = read(
        tmp_path, "sku,name,maker\n1,Kettle,Aro\n2,Pan, big,Aro\n3,Lid,Aro,\n4,Jug,Aro,,\n"
    )
    assert cells(table) == [["1", "Kettle", "Aro"], ["3", "Lid", "Aro"], ["4", "Jug", "Aro"]]
    assert table.rows == [1, 3, 4]
    assert [(b.row, b.reason, b.value) for b in table.bad] == [
        (2, "row has more fields than the header", "2,Pan, big,Aro")
    ]


def test_comma_too_many_is_seen_though_the_last_column_is_empty(tmp_path: Path):
    rows = ["1,Kettle,9 EUR,a.jpg", "2,Jug,8 EUR,", "3,Pan, big,7 EUR,", "4,Lid,5 EUR,,"]
    table = read(tmp_path, "\n".join(["sku,name,price,note", *rows, "5,Cup,4 EUR,b.jpg"]))
    assert table.frame["sku"].tolist() == ["1", "2", "4", "5"]
    assert [bad.row for bad in table.bad] == [3]


def test_short_row_is_filled_up_and_said(tmp_path: Path):
    table = read(tmp_path, "sku,name,maker\n1,Kettle,Aro\n2,Pan\n")
    assert cells(table)[1] == ["2", "Pan", ""]
    assert "1 rows have fewer fields than the header (first: row 2)" in table.notes[0]


def test_empty_columns_go_and_nameless_ones_with_values_stay(tmp_path: Path):
    table = read(tmp_path, "sku,name,,\n1,Kettle,,x\n2,Pan,,\n")
    assert list(table.frame.columns) == ["sku", "name", "column 4"]


def test_second_column_of_one_name_is_kept(tmp_path: Path):
    table = read(tmp_path, "sku,link,link,link\n1,a,b,c\n")
    assert list(table.frame.columns) == ["sku", "link", "link (2)", "link (3)"]


@pytest.mark.parametrize("separator", ["\t", ",", ";", "|"])
def test_inch_signs_swallow_nothing(tmp_path: Path, separator: str):
    rows = ['1|"Oak 30 inch shelf|5', "2|Mug|5", '3|"Tiny" lamp 9"|5', '4|Rope 4" "x"|5', "5|Pot|5"]
    content = "\n".join(["sku|name|price", *rows]).replace("|", separator)
    table = read(tmp_path, content)
    assert cells(table) == [row.split("|") for row in rows]


def test_two_lines_that_begin_and_end_a_quote_are_two_rows_in_a_tsv(tmp_path: Path):
    table = read(tmp_path, 'sku\tname\tprice\n1\t"Oak\t5\n2\tPan"\t6\n', "t.tsv")
    assert cells(table) == [["1", '"Oak', "5"], ["2", 'Pan"', "6"]]


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_quoted_line_breaks_separators_and_quotes_are_read(tmp_path: Path, name: str):
    wanted = [["1", 'Pan "big"', "<p>one\n\ntwo</p>, three\tfour"], ["2", "Two\nlines", ""]]
    frame = pd.DataFrame(wanted, columns=["sku", "name", "text"])
    frame.to_csv(tmp_path / name, index=False, sep="\t" if name.endswith("tsv") else ",")
    assert cells(read_table(tmp_path / name)) == wanted


@pytest.mark.parametrize(
    ("content", "separator"),
    [
        ("sku;name;price\n1;Pan;9,90\n2;Lid;3,00\n", ";"),
        ("sku\tname, long\n1\ta, b\n2\tc, d\n", "\t"),
        ("sku|name\n1|a;b,c\n", "|"),
        ("sep=;\nsku;name\n1;a,b\n", ";"),
        ("sku,name;x\n1,a;\n2,b\n", ","),
    ],
)
def test_separator_is_found_and_said(tmp_path: Path, content: str, separator: str):
    table = read(tmp_path, content)
    assert table.frame.columns[0] == "sku"
    assert table.frame["sku"][0] == "1"
    assert any(f"separator {separator!r}" in note for note in table.notes) == (separator != ",")


def test_separator_can_be_set(tmp_path: Path):
    assert read(tmp_path, "sku~a,b\n1~x,y\n", separator="~").frame["a,b"].tolist() == ["x,y"]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "Stühle für Café \u2013 groß"),
        ("utf-8-sig", "Stühle für Café"),
        ("utf-16", "Stühle 红色"),
        ("utf-16-le", "Stuehle und Baenke aus Holz"),
        ("utf-32", "Stühle"),
        ("cp1252", "Stühle für Café \u2013 größe 9 €"),
        ("cp1251", "Ботинки красные женские кожаные"),
        ("cp1250", "Krzesło dębowe żółte ogrodowe łóżko"),
        ("cp932", "赤いブーツ レディース 木製テーブル"),
        ("gb18030", "红色皮靴 女士 真皮手袋 橡木餐桌"),
        ("euc_kr", "빨간 부츠 여성용 가죽 가방"),
    ],
)
def test_encoding_is_found(tmp_path: Path, encoding: str, name: str):
    content = "".join(["sku,name\n", *(f"{i},{name}\n" for i in range(5))])
    table = read(tmp_path, content.encode(encoding))
    assert table.frame["name"].tolist() == [name] * 5
    assert bool(table.notes) == (encoding not in {"utf-8", "utf-8-sig"})


def test_encoding_can_be_set_and_an_unknown_one_is_refused(tmp_path: Path):
    assert read(tmp_path, "sku\nŁ".encode("cp1250"), encoding="cp1250").frame["sku"][0] == "Ł"
    with pytest.raises(DataError, match=r"ingest\.feed\.encoding: 'utf-9' is no encoding"):
        read(tmp_path, "sku\n1", encoding="utf-9")


def test_few_stray_bytes_in_a_utf8_file_do_not_change_its_encoding(tmp_path: Path):
    good = "".join(f"{i},Stühle größe\n" for i in range(50)).encode()
    table = read(tmp_path, b"sku,name\n" + good + b"x,Caf\xe9\n")
    assert table.frame["name"].tolist() == ["Stühle größe"] * 50 + ["Café"]
    assert "1 bytes that were read as cp1252" in table.notes[0]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_files_are_unpacked_whatever_their_ending(tmp_path: Path, pack):
    for name in ("t.csv.gz", "t.csv"):
        assert cells(read(tmp_path, pack(b"sku,name\n1,Pan\n"), name)) == [["1", "Pan"]]


def test_packed_file_that_breaks_off_is_read_up_to_there_and_marked(tmp_path: Path):
    lines = "".join(f"{i},{hash(str(i))}\n" for i in range(5000))
    whole = gzip.compress(f"sku,name\n{lines}".encode())
    table = read(tmp_path, whole[: len(whole) // 2], "t.csv.gz")
    assert table.is_cut
    assert 1000 < len(table.frame) < 4000
    both = read(tmp_path, whole + gzip.compress(b"x,y\n"), "t.csv.gz")
    assert not both.is_cut
    assert len(both.frame) == 5001


def test_old_mac_and_windows_line_ends(tmp_path: Path):
    for end in ("\r", "\r\n"):
        content = f"sku,name{end}1,Pan{end}2,Lid{end}"
        assert cells(read(tmp_path, content)) == [["1", "Pan"], ["2", "Lid"]]


def test_unicode_line_separators_are_no_line_ends(tmp_path: Path):
    assert cells(read(tmp_path, "sku,name\n1,a\u2028b\x0cc\x85d\n")) == [
        ["1", "a\u2028b\x0cc\x85d"]
    ]


@pytest.mark.parametrize(
    "content",
    [
        '{"sku": 1, "name": "Pan"}\n\n{"sku": 2, "more": [1]}\n',
        '[{"sku": 1, "name": "Pan"},\n {"sku": 2, "more": [1]}]',
        '{"total": 2,\n "products": [{"sku": 1, "name": "Pan"}, {"sku": 2, "more": [1]}]}',
        '\ufeff{"sku": 1, "name": "Pan"}\n{"sku": 2, "more": [1]}',
    ],
)
def test_json_of_every_layout(tmp_path: Path, content: str):
    table = read(tmp_path, content, "t.json")
    assert cells(table) == [[1, "Pan", None], [2, None, [1]]]
    assert table.bad == []


def test_json_lines_that_are_none_are_named(tmp_path: Path):
    table = read(tmp_path, '{"sku": 1}\nboo\n[1]\n{"sku": 2', "t.jsonl")
    assert table.rows == [1]
    assert [bad.row for bad in table.bad] == [2, 3, 4]


def test_lone_surrogate_in_json_can_be_written_again(tmp_path: Path):
    name = read(tmp_path, r'{"name": "a\ud83d"}', "t.jsonl").frame["name"][0]
    assert name.encode() == b"a?"


def test_parquet_keeps_whole_numbers_structs_and_missing_values(tmp_path: Path):
    table = pa.table(
        {
            "sku": pa.array([7.0, None]),
            "price": [1.5, 2.0],
            "cost": pa.array([Decimal("1.10"), None]),
            "image": [{"path": "a"}, None],
            "kinds": [["A", "B"], None],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    rows = cells(read_table(tmp_path / "t.parquet"))
    assert rows[0] == [7, 1.5, Decimal("1.10"), {"path": "a"}, ["A", "B"]]
    assert rows[1] == [None, 2.0, None, None, None]
    assert [as_text(value) for value in rows[0]] == [
        "7",
        "1.5",
        "1.10",
        '{"path": "a"}',
        '["A", "B"]',
    ]


def test_excel_book(tmp_path: Path):
    book = openpyxl.Workbook()
    book.active.title = "empty"
    sheet = book.create_sheet("goods")
    for row in ([None, None], ["sku", "name", None], [1001.0, "Pan"], [], [1002, None], [7, "x"]):
        sheet.append(row)
    book.create_sheet("more").append(["other"])
    book.save(tmp_path / "t.xlsx")
    table = read_table(tmp_path / "t.xlsx")
    assert cells(table) == [[1001, "Pan"], [1002, None], [7, "x"]]
    assert table.rows == [1, 3, 4]
    assert table.notes == ["sheet 'goods' is read, not more"]


def test_format_is_taken_from_the_bytes_where_they_are_clear(tmp_path: Path):
    for name, content, kind in (
        ("a.csv", b"<!DOCTYPE html><html>", "html"),
        ("b.csv", b"<?xml version='1.0'?><rss/>", "xml"),
        ("c", b'{"sku": 1}', "jsonl"),
        ("d.txt", b"sku\tname", "txt"),
        ("e.csv.gz", gzip.compress(b"sku"), "csv"),
    ):
        (tmp_path / name).write_bytes(content)
        assert format_of(tmp_path / name) == kind
    with pytest.raises(DataError, match="is an HTML page"):
        read_table(tmp_path / "a.csv")


def test_missing_and_broken_files_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"no such file\. Check ingest\.feed"):
        read_table(tmp_path / "none.csv")
    for name in ("t.parquet", "t.xlsx"):
        start = b"PAR1" if name.endswith("parquet") else b"PK\x03\x04"
        with pytest.raises(DataError, match="cannot be read as"):
            read(tmp_path, start + b"broken", name)


FIELDS = st.text(st.sampled_from('ab ,;"\n\tä1'), max_size=6).map(lambda text: f"x{text}")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(FIELDS, min_size=4, max_size=4), min_size=1, max_size=6))
def test_what_a_csv_writer_writes_is_read_back(rows: list[list[str]]):
    written = pd.DataFrame(rows).to_csv(index=False, header=["a", "b", "c", "d"])
    reader = RowReader(iter(written.split("\n")), sniff(written.split("\n"), ","))
    assert [row for _, row in reader.rows()] == rows
    assert reader.bad == []


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["t.csv", "t.tsv", "t.json", "t.jsonl.gz"]))
def test_any_bytes_give_a_table_or_a_message(tmp_path_factory, content: bytes, name: str):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    try:
        table = read_table(path)
    except DataError:
        return
    assert len(table.rows) == len(table.frame)
    json.dumps([[as_text(value) for value in row] for row in cells(table)])
