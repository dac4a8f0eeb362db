"""Feeds in every format, mapped columns, and rows that are left out."""

import gzip
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_row_with_a_field_too_many_is_left_out_and_shifts_nothing(tmp_path: Path):
    write(tmp_path, *ROWS, "z9,Pan, large,Aro,Kitchen,9 EUR,,")
    feed, quarantine = read(tmp_path)
    expect_two_items(feed)
    assert quarantine.counts() == {"items: row has more fields than the header": 1}


def test_headers_are_understood_in_their_spellings(tmp_path: Path):
    write(
        tmp_path,
        "1,Pan,Kitchen > Pans,g1,a.jpg,b.jpg,c.jpg,blue",
        header="ID,g:title,Product Type,itemGroupId,Image link,"
        "additional image link,additional_image_link,Color",
    )
    feed, _ = read(tmp_path)
    item = feed.items.iloc[0]
    assert (item["category"], item["group_id"], item["colour"]) == ("Kitchen > Pans", "g1", "blue")
    assert [p.link for p in feed.pictures] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [p.is_main for p in feed.pictures] == [True, False, False]


def test_columns_that_are_used_and_left_over_are_reported_with_near_matches(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    write(tmp_path, "1,Pan,Aro,9,steel", header="id,title,brandd,prize,material")
    with caplog.at_level("INFO", logger="smar"):
        read(tmp_path)
    assert "columns: id <- id; title <- title" in caplog.text
    assert "brandd (ingest.feed.columns.brand?); prize (ingest.feed.columns.price?)" in caplog.text
    assert "material" in caplog.text


def test_words_for_nothing_are_nothing(tmp_path: Path):
    rows = ("1,Pan,NULL,N/A,\\N", "2,Null pan,nan,None,", "NA,None left,x,y,1 EUR")
    write(tmp_path, *rows, header="id,title,brand,product_type,price")
    items = read(tmp_path)[0].items
    assert items["item_id"].tolist() == ["1", "2", "NA"]
    assert items["title"].tolist() == ["Pan", "Null pan", "None left"]
    assert items["brand"].tolist() == ["", "", "x"]
    assert items["category"].tolist() == ["", "", "y"]
    assert items["price"].tolist()[2] == 1.0


def test_fields_for_filters_are_kept(tmp_path: Path):
    write(
        tmp_path,
        "1,Pan,20 EUR,15 EUR,2026-03-01T00:00+0100/2026-03-31T23:59+0100,In Stock,0012,M-1,L,red,x",
        "2,Lid,8 - 9 EUR,,2026-03-01/soon,https://schema.org/OutOfStock,,,,,",
        header="id,title,price,sale_price,sale_price_effective_date,availability,gtin,mpn,size,"
        "color,material",
    )
    feed, quarantine = read(tmp_path)
    pan, lid = feed.items.to_dict("records")
    assert (pan["price"], pan["sale_price"], lid["price"], lid["price_max"]) == (20, 15, 8, 9)
    assert pan["sale_from"] == pd.Timestamp("2026-02-28 23:00", tz="UTC")
    assert pan["sale_to"] == pd.Timestamp("2026-03-31 22:59", tz="UTC")
    assert [pan["availability"], lid["availability"]] == ["in_stock", "out_of_stock"]
    assert (pan["gtin"], pan["mpn"], pan["size"], pan["colour"]) == ("0012", "M-1", "L", "red")
    assert pan["more"] == '{"material": "x"}'
    assert lid["more"] == ""
    assert quarantine.counts() == {"prices: sale dates cannot be read": 1}


def test_rows_that_are_left_out_move_nothing_from_one_item_to_another(tmp_path: Path):
    names = "id,title,price,sale_price,sale_price_effective_date,brand,product_type,material,link"
    good = [f"{n},Pan {n},{n},{n - 0.5},2026-0{n}-01/2026-0{n}-09,b{n},c{n},m{n},{n}.jpg"
            for n in (1, 2, 3)]  # fmt: skip
    write(tmp_path, *good, header=names)
    alone, _ = read(tmp_path, image_link="link")
    write(tmp_path, "9,,9,8,2026-09-01/2026-09-02,b9,c9,m9,9.jpg", *good, good[0], header=names)
    among, quarantine = read(tmp_path, image_link="link")
    assert quarantine.counts() == {"items: id is repeated": 1, "items: title is empty": 1}
    assert among.items["sale_from"].dt.month.tolist() == [1, 2, 3]
    pd.testing.assert_frame_equal(among.items, alone.items.assign(row=[2, 3, 4]))
    assert [p.link for p in among.pictures] == [p.link for p in alone.pictures]


@pytest.mark.parametrize("missing", [None, "none", ""])
def test_item_without_a_picture_among_plain_links(tmp_path: Path, missing: str | None):
    rows = [{"id": "1", "title": "Pan", "image_link": "a.jpg"},
            {"id": "2", "title": "Lid", "image_link": missing}]  # fmt: skip
    pd.DataFrame(rows).to_parquet(tmp_path / "feed.parquet")
    (tmp_path / "feed.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for file in ("feed.parquet", "feed.jsonl"):
        assert [(p.item_id, p.link) for p in read(tmp_path, file)[0].pictures] == [("1", "a.jpg")]


def test_price_column_decides_for_the_sale_price_too(tmp_path: Path):
    write(tmp_path, '1,Pan,"2,50 EUR",1.299 EUR', header="id,title,price,sale_price")
    assert read(tmp_path)[0].items["sale_price"].tolist() == [1299.0]


def test_prices_take_the_currency_of_params_or_of_a_column(tmp_path: Path):
    write(tmp_path, "1,Pan,5,", "2,Lid,6,sek", header="id,title,price,currency")
    params = FeedParams(file="feed.csv", columns={}, currency="EUR")
    items = read_feed(tmp_path, params, Quarantine()).items
    assert items["currency"].tolist() == ["EUR", "SEK"]


def test_column_can_be_switched_off_but_not_a_required_one(tmp_path: Path):
    write(tmp_path, *ROWS)
    assert read(tmp_path, brand="")[0].items["brand"].tolist() == ["", ""]
    with pytest.raises(DataError, match=r"ingest\.feed\.columns\.title: cannot be switched off"):
        read(tmp_path, title="")


@pytest.mark.parametrize(
    ("template", "link"),
    [
        ("pics/{name}", "pics/pan 1.JPG"),
        ("pics/{image_link.stem}.png", "pics/pan 1.png"),
        ("pics/{id:03d}{suffix}", "pics/007.JPG"),
        ("{Image Link.name}", "pan 1.JPG"),
    ],
)
def test_templates_know_the_parts_of_a_link(tmp_path: Path, template: str, link: str):
    row = "7,Pan,https://shop.example/p/pan%201.JPG?v=3"
    write(tmp_path, row, header="id,title,image_link")
    feed, _ = read(tmp_path, image_link=template)
    assert [(p.link, p.any_ending) for p in feed.pictures] == [(link, True)]


def test_template_serves_every_further_link(tmp_path: Path):
    row = '7,Pan,"http://x.example/a.jpg,http://x.example/b,c.jpg?w=1,2"'
    write(tmp_path, row, header="id,title,additional_image_link")
    feed, _ = read(tmp_path, additional_image_link="p/{stem}.webp")
    assert [p.link for p in feed.pictures] == ["p/a.webp", "p/b,c.webp"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("p/{id.jpg", "is no template: expected '}'"),
        ("p/{}.jpg", "names of columns in braces"),
        ("p/{idd}.jpg", "no column 'idd'. Did you mean 'id'"),
        ("p/{id:05d}.jpg", "row 1: ingest.feed.columns.image_link cannot be filled"),
        ("p/{id:>>>}.jpg", "cannot be filled"),
    ],
)
def test_template_that_cannot_be_is_refused_by_name(tmp_path: Path, template: str, message: str):
    write(tmp_path, "a1,Pan", header="id,title")
    with pytest.raises(DataError) as error:
        read(tmp_path, image_link=template)
    assert message in str(error.value)
    assert "image_link" in str(error.value)


def test_feed_in_json_lines_with_structures(tmp_path: Path):
    (tmp_path / "feed.jsonl").write_text(
        '{"id": 5, "title": "Pan", "price": {"value": 2.375, "currency": "EUR"}, '
        '"product_type": ["Kitchen", "Pans"], "image_link": {"url": "a.jpg"}, '
        '"additional_image_link": ["b.jpg", {"src": "c.jpg"}]}\n'
    )
    feed, _ = read(tmp_path, "feed.jsonl")
    item = feed.items.iloc[0]
    assert (item["item_id"], item["price"], item["currency"]) == ("5", 2.375, "EUR")
    assert item["category"] == "Kitchen > Pans"
    assert [p.link for p in feed.pictures] == ["a.jpg", "b.jpg", "c.jpg"]


def test_feed_that_breaks_off_is_refused(tmp_path: Path):
    rows = "".join(f"{i},Pan {i * 7919 % 1000}\n" for i in range(2000))
    whole = gzip.compress(f"id,title\n{rows}".encode())
    (tmp_path / "feed.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="breaks off after row"):
        read(tmp_path, "feed.csv.gz")


def test_feed_without_any_item_is_refused(tmp_path: Path):
    write(tmp_path, ",Pan", header="id,title")
    with pytest.raises(DataError, match=r"no row is an item \(1 x items: id is empty\)"):
        read(tmp_path)


def test_item_with_an_unreadable_price_stays_without_it(tmp_path: Path):
    write(tmp_path, "1,Boot,,,cheap,,")
    feed, quarantine = read(tmp_path)
    assert feed.items["price"].isna().all()
    assert quarantine.counts() == {"prices: price is not a number with a currency": 1}


def test_missing_columns_are_all_named_with_near_matches(tmp_path: Path):
    write(tmp_path, "1,x", header="sku,titel")
    with pytest.raises(DataError) as error:
        read(tmp_path, title="title")
    message = str(error.value)
    assert "the feed has sku, titel" in message
    assert "'id' is missing" in message
    assert "no column 'title'. Did you mean 'titel'?" in message


def test_missing_and_empty_files_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="no feed there"):
        read(tmp_path)
    write(tmp_path)
    with pytest.raises(DataError, match="no rows"):
        read(tmp_path)


SMALL = {
    "f.csv": b'id,title,price,image_link\n1,"Red pan, big",9.90 EUR,a.jpg\n2,Lid,8 EUR,b.jpg\n',
    "f.tsv": b'id\ttitle\tprice\n1\t"Oak 30 inch\t9\n2\tLid\t8\n',
    "f.csv.gz": gzip.compress(b"id,title\n1,Pan\n2,Lid\n"),
    "f.jsonl": b'{"id": 1, "title": "Pan", "image_link": ["a"]}\n{"id": 2, "title": "Lid"}\n',
    "f.xml": b"<rss><item><id>1</id><title>Pan</title><price>5 EUR</price></item></rss>",
}
DAMAGE = [
    b'"',
    b",",
    b"\t",
    b"\n",
    b"\r",
    b"\x00",
    b"\xff",
    b"<",
    b"&x;",
    b"{",
    b"[",
    b"]",
    b"1e999",
]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(SMALL)),
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from(DAMAGE)), min_size=1, max_size=5),
    st.sampled_from(["auto", "auto", "shopify", "woocommerce", "magento", "akeneo", "facebook"]),
)
def test_damaged_feed_is_read_or_refused(tmp_path_factory, name: str, damage, kind: str):
    content = bytearray(SMALL[name])
    for place, piece in damage:
        at = int(place * len(content))
        content[at:at] = piece
    folder = tmp_path_factory.getbasetemp()
    (folder / name).write_bytes(content)
    try:
        feed = read_feed(folder, FeedParams(file=name, columns={}, kind=kind), Quarantine())
    except DataError:
        return
    assert feed.items["item_id"].is_unique
    assert (feed.items["title"] != "").all()


def test_packed_file_that_is_broken_is_refused(tmp_path: Path):
    content = bytearray(gzip.compress(b"id,title\n" + b"1,Pan\n" * 9))
    content[12:16] = b"\xff\xff\xff\xff"
    (tmp_path / "feed.csv.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"breaks off|cannot be read|no rows"):
        read(tmp_path, "feed.csv.gz")


def test_second_product_type_and_a_second_title_are_kept_and_said(tmp_path: Path):
    (tmp_path / "feed.csv").write_text(
        "id,title,title,product_type,google_product_category,product_type\n"
        "a,Boot,Stiefel,Shoes > Boots,187,Sale > Winter\n"
        "b,,Hut,,Hats,\n"
        "c,Bag,Bag,Bags,Bags,\n"
    )
    feed, _ = read(tmp_path)
    assert feed.items["title"].tolist() == ["Boot", "Hut", "Bag"]
    assert feed.items["category"].tolist() == ["Shoes > Boots", "Hats", "Bags"]
    assert [json.loads(text) if text else {} for text in feed.items["more"]] == [
        {
            "title (2)": "Stiefel",
            "product_type (2)": "Sale > Winter",
            "google_product_category": "187",
        },
        {},
        {},
    ]
    assert any("1 of title (2), 1 of product_type (2)" in note for note in feed.notes)


def test_further_elements_of_an_xml_item_are_kept(tmp_path: Path):
    (tmp_path / "feed.xml").write_text(
        "<rss><item><id>a</id><title>Boot</title><product_type>Shoes &gt; Boots</product_type>"
        "<product_type>Sale &gt; Winter</product_type><product_type>Gifts &gt; Hers</product_type>"
        "<brand>Acme</brand><brand>Zenith</brand></item></rss>"
    )
    feed, _ = read(tmp_path, "feed.xml")
    assert feed.items["category"].tolist() == ["Shoes > Boots"]
    assert json.loads(feed.items["more"][0]) == {
        "product_type": "Sale > Winter | Gifts > Hers",
        "brand": "Zenith",
    }


def test_spreadsheet_keeps_digits_as_text_or_loses_them(tmp_path: Path):
    (tmp_path / "feed.csv").write_text(
        'id,title,gtin\n="007",Boot,="0012345678905"\n8,Hat,4.00694E+12\n9,Bag,12345670\n'
    )
    feed, _ = read(tmp_path)
    assert feed.items["item_id"].tolist() == ["007", "8", "9"]
    assert feed.items["gtin"].tolist() == ["0012345678905", "", "12345670"]
    said = " ".join(feed.notes)
    assert '2 fields are ="..." of a spreadsheet' in said
    assert "gtin: 1 lost their digits in a spreadsheet (the first: 4.00694E+12)" in said


def test_header_that_is_repeated_is_no_item(tmp_path: Path):
    write(tmp_path, ROWS[0], HEADER, f"\ufeff{HEADER}", ROWS[1])
    feed, quarantine = read(tmp_path)
    expect_two_items(feed)
    assert quarantine.counts() == {}
    assert any("2 rows repeat the header" in note for note in feed.notes)


@pytest.mark.parametrize(
    "column", ["additional_image_link_2", "Additional Image Link 1", "image[1].url"]
)
def test_numbered_columns_hold_further_pictures(tmp_path: Path, column: str):
    (tmp_path / "feed.csv").write_text(
        f"id,title,image_link,{column},fb_product_category\na,Boot,a.png,b.png,shoes\n"
    )
    feed, _ = read(tmp_path)
    assert [(p.link, p.is_main) for p in feed.pictures] == [("a.png", True), ("b.png", False)]


def test_zip_archive_is_told_from_a_book_and_a_book_may_have_any_name(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "feed.csv", "w") as packed:
        packed.writestr("inside.csv", "id,title\na,Boot\n")
    with pytest.raises(DataError, match="If it is a zip archive of other files, unpack it"):
        read(tmp_path)
    book = tmp_path / "book.xlsx"
    pd.DataFrame({"id": ["a"], "title": ["Boot"]}).to_excel(book, index=False)
    book.rename(tmp_path / "feed.csv")
    assert read(tmp_path)[0].items["item_id"].tolist() == ["a"]
