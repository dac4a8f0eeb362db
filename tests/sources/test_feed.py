"""Feeds in every format, mapped columns, and rows that are left out."""

from pathlib import Path

import pandas as pd
import pytest

from smar.errors import DataError
from smar.params import FeedParams
from smar.sources.feed import Feed, read_feed
from smar.sources.quarantine import Quarantine

HEADER = "id,title,brand,product_type,price,image_link,additional_image_link"
ROWS = [
    'a1,"Red boot, high",Acme,Shoes > Boots,19.90 EUR,images/a1.jpg,"images/a2.jpg, images/a3.jpg"',
    "0007,Bag,,Bags,USD 5,images/b.jpg,",
]


def read(folder: Path, file: str = "feed.csv", **columns: str) -> tuple[Feed, Quarantine]:
    quarantine = Quarantine()
    return read_feed(folder, FeedParams(file=file, columns=columns), quarantine), quarantine


def write(folder: Path, *rows: str, header: str = HEADER) -> None:
    (folder / "feed.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8-sig")


def expect_two_items(feed: Feed) -> None:
    assert feed.items["item_id"].tolist() == ["a1", "0007"]
    assert feed.items["title"].tolist() == ["Red boot, high", "Bag"]
    assert feed.items["category"].tolist() == ["Shoes > Boots", "Bags"]
    assert feed.items["price"].tolist() == [19.9, 5.0]
    assert feed.items["currency"].tolist() == ["EUR", "USD"]
    assert [(p.item_id, p.link) for p in feed.pictures] == [
        ("a1", "images/a1.jpg"),
        ("a1", "images/a2.jpg"),
        ("a1", "images/a3.jpg"),
        ("0007", "images/b.jpg"),
    ]


def test_csv_feed(tmp_path: Path):
    write(tmp_path, *ROWS)
    expect_two_items(read(tmp_path)[0])


def test_tsv_and_parquet_feeds_equal_the_csv_one(tmp_path: Path):
    write(tmp_path, *ROWS)
    frame = pd.read_csv(tmp_path / "feed.csv", dtype=str, encoding="utf-8-sig")
    frame.to_csv(tmp_path / "feed.tsv", sep="\t", index=False)
    frame.to_parquet(tmp_path / "feed.parquet")
    expect_two_items(read(tmp_path, "feed.tsv")[0])
    expect_two_items(read(tmp_path, "feed.parquet")[0])


def test_xml_feed_with_google_namespace(tmp_path: Path):
    (tmp_path / "feed.xml").write_text(
        """<?xml version="1.0"?><rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>
        <title>Shop</title>
        <item><g:id>a1</g:id><title>Red boot, high</title><g:brand>Acme</g:brand>
        <g:product_type>Shoes &gt; Boots</g:product_type><g:price>19.90 EUR</g:price>
        <g:image_link>images/a1.jpg</g:image_link>
        <g:additional_image_link>images/a2.jpg</g:additional_image_link>
        <g:additional_image_link>images/a3.jpg</g:additional_image_link></item>
        <item><g:id>0007</g:id><title>Bag</title><g:product_type>Bags</g:product_type>
        <g:price>USD 5</g:price><g:image_link>images/b.jpg</g:image_link></item>
        </channel></rss>"""
    )
    expect_two_items(read(tmp_path, "feed.xml")[0])


def test_xml_with_entities_is_refused(tmp_path: Path):
    (tmp_path / "feed.xml").write_text(
        '<!DOCTYPE x [<!ENTITY a "boom">]><rss><item><id>1</id><title>&a;</title></item></rss>'
    )
    with pytest.raises(DataError, match="cannot be read as xml"):
        read(tmp_path, "feed.xml")


def test_columns_can_be_mapped(tmp_path: Path):
    write(tmp_path, "1,Boot,red,M,x: 1; y: 2", header="sku,name,colour,size,more")
    feed, _ = read(
        tmp_path,
        id="sku",
        title="name",
        attributes="colour, size, more",
        image_link="pics/{sku}-{colour}.jpg",
    )
    assert feed.items["attributes"].tolist() == ["colour: red; size: M; x: 1; y: 2"]
    assert [p.link for p in feed.pictures] == ["pics/1-red.jpg"]


def test_value_with_a_colon_keeps_the_name_of_its_column(tmp_path: Path):
    rows = ("1,a,M", "2,b,EU: 42", "3,c,L", "4,d,")
    write(tmp_path, *rows, header="id,title,size")
    attributes = read(tmp_path, attributes="size")[0].items["attributes"]
    assert attributes.tolist() == ["size: M", "size: EU: 42", "size: L", ""]


def test_google_category_serves_where_the_own_one_is_empty(tmp_path: Path):
    write(tmp_path, "1,a,,G", "2,b,P,G", header="id,title,product_type,google_product_category")
    assert read(tmp_path)[0].items["category"].tolist() == ["G", "P"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [(",No id,,,,,", "id is empty"), ("x,,,,,,", "title is empty"), ("a1,Again,,,,,", "repeated")],
)
def test_bad_row_is_left_out_with_its_reason(tmp_path: Path, row: str, reason: str):
    write(tmp_path, *ROWS, row)
    feed, quarantine = read(tmp_path)
    expect_two_items(feed)
    left_out = quarantine.frame()
    assert len(left_out) == 1
    assert reason in left_out["reason"][0]
    assert left_out["row"][0] == 3


def test_item_with_an_unreadable_price_stays_without_it(tmp_path: Path):
    write(tmp_path, "1,Boot,,,cheap,,")
    feed, quarantine = read(tmp_path)
    assert feed.items["price"].isna().all()
    assert quarantine.counts() == {"prices: price is not a number with a currency": 1}


def test_missing_columns_are_all_named_with_near_matches(tmp_path: Path):
    write(tmp_path, "1,x", header="sku,titel")
    with pytest.raises(DataError) as error:
        read(tmp_path, title="title", brnd="x")
    message = str(error.value)
    assert "the feed has sku, titel" in message
    assert "'id' is missing" in message
    assert "no column 'title'. Did you mean 'titel'?" in message
    assert "ingest.feed.columns.brnd: not one of our columns" in message
    assert "Did you mean 'brand'?" in message


def test_missing_empty_and_unknown_files_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="no feed there"):
        read(tmp_path)
    (tmp_path / "feed.docx").touch()
    with pytest.raises(DataError, match=r"unknown format '\.docx', expected one of \.csv"):
        read(tmp_path, "feed.docx")
    write(tmp_path)
    with pytest.raises(DataError, match="no rows"):
        read(tmp_path)
