"""Exports of shops by name: rows of one product, variations and their parents."""

import json
from pathlib import Path
from typing import Any

import pytest

from smar.errors import DataError
from smar.params import FeedParams
from smar.sources.feed import Feed, read_feed
from smar.sources.feed_kinds import feed_kind
from smar.sources.quarantine import Quarantine


def read(folder: Path, *lines: str, kind: str = "auto") -> tuple[Feed, list[dict[str, Any]]]:
    (folder / "f.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    feed = read_feed(folder, FeedParams(file="f.csv", columns={}, kind=kind), Quarantine())
    return feed, feed.items.to_dict("records")


def links(feed: Feed, item_id: str) -> list[str]:
    return [picture.link for picture in feed.pictures if picture.item_id == item_id]


def test_shopify_rows_of_one_handle_are_variants_and_pictures(tmp_path: Path):
    feed, items = read(
        tmp_path,
        "Handle,Title,Body (HTML),Vendor,Type,Option1 Name,Option1 Value,Option2 Name,"
        "Option2 Value,Variant SKU,Variant Price,Variant Compare At Price,"
        "Variant Inventory Tracker,"
        "Variant Inventory Qty,Variant Inventory Policy,Variant Barcode,Image Src,Variant Image",
        "apron,Linen apron,<p>Soft &amp; wide</p>,Aro,Kitchen,Size,S,Color,Blue,AP-S,19.00,25.00,"
        "shopify,4,deny,0012,https://x.example/1.jpg,https://x.example/blue.jpg",
        "apron,,,,,,L,,Green,,19.00,,shopify,0,deny,,https://x.example/2.jpg,",
        "apron,,,,,,,,,,,,,,,,https://x.example/3.jpg,",
        "mug,Mug,,Aro,Kitchen,Title,Default Title,,,,7.00,,,,,,,",
    )
    assert [item["item_id"] for item in items] == ["AP-S", "apron-L-Green", "mug"]
    small, large, mug = items
    assert small["title"] == large["title"] == "Linen apron"
    assert small["description"] == "Soft & wide"
    assert (small["price"], small["sale_price"], large["price"]) == (25.0, 19.0, 19.0)
    assert (small["size"], small["colour"], small["gtin"]) == ("S", "Blue", "0012")
    assert [item["group_id"] for item in items] == ["apron", "apron", ""]
    assert [item["availability"] for item in items] == ["in_stock", "out_of_stock", "in_stock"]
    assert mug["size"] == ""
    assert links(feed, "AP-S") == [f"https://x.example/{n}.jpg" for n in ("blue", 1, 2, 3)]
    assert links(feed, "apron-L-Green") == [f"https://x.example/{n}.jpg" for n in (1, 2, 3)]


def test_woocommerce_variations_take_over_what_their_parent_says(tmp_path: Path):
    feed, items = read(
        tmp_path,
        'ID,Type,SKU,Name,Description,"In stock?","Regular price","Sale price",Categories,Images,'
        'Parent,"Attribute 1 name","Attribute 1 value(s)"',
        '10,variable,AP,Apron,Wide,1,,,"Home > Kitchen, Home","http://x/a.jpg, http://x/b.jpg",,'
        'Size,"S, L"',
        "11,variation,AP-S,Apron - S,,0,25,19,,http://x/s.jpg,id:10,Size,S",
        "12,variation,AP-L,,,1,25,,,,AP,Size,L",
        "13,simple,MG,Mug,,1,7,,Home,,,,",
    )
    assert [item["item_id"] for item in items] == ["10", "11", "12", "13"]
    assert [item["title"] for item in items] == ["Apron", "Apron - S", "Apron", "Mug"]
    assert [item["category"] for item in items] == ["Home > Kitchen"] * 3 + ["Home"]
    assert [item["group_id"] for item in items] == ["10", "10", "10", ""]
    assert [item["size"] for item in items] == ["", "S", "L", ""]
    assert [item["availability"] for item in items][1:] == ["out_of_stock", "in_stock", "in_stock"]
    assert (items[1]["price"], items[1]["sale_price"]) == (25, 19)
    assert links(feed, "11") == ["http://x/s.jpg"]
    assert links(feed, "12") == ["http://x/a.jpg", "http://x/b.jpg"]


def test_magento_attributes_categories_and_configurable_products(tmp_path: Path):
    feed, items = read(
        tmp_path,
        "sku,attribute_set_code,product_type,categories,name,price,special_price,base_image,"
        "additional_images,additional_attributes,is_in_stock,configurable_variations",
        'AP-S,Default,simple,"Default Category/Home/Kitchen,Default Category/Sale",Apron S,25,19,'
        '/a/p/ap.jpg,"/a/p/ap.jpg,/a/p/ap2.jpg","color=Blue,size=S,material=Linen, soft",0,',
        "AP,Default,configurable,Default Category/Home,Apron,,,,,,1,"
        '"sku=AP-S,size=S|sku=AP-L,size=L"',
    )
    small, parent = items
    assert small["category"] == "Home > Kitchen"
    assert (small["price"], small["sale_price"], small["availability"]) == (25, 19, "out_of_stock")
    assert (small["colour"], small["size"]) == ("Blue", "S")
    assert json.loads(small["more"])["material"] == "Linen, soft"
    assert small["group_id"] == parent["group_id"] == "AP"
    assert links(feed, "AP-S") == ["a/p/ap.jpg", "a/p/ap2.jpg"]


def test_akeneo_values_of_locales_and_currencies(tmp_path: Path):
    _, items = read(
        tmp_path,
        "sku;categories;enabled;family;parent;name-de_DE;name-en_US;price-EUR;image",
        "AP-S;kitchen,sale;1;aprons;AP;;Apron;25.00;files/a.jpg",
    )
    item = items[0]
    assert (item["item_id"], item["title"], item["group_id"]) == ("AP-S", "Apron", "AP")
    assert (item["price"], item["currency"], item["category"]) == (25, "EUR", "kitchen")


def test_facebook_names_and_pictures_as_json(tmp_path: Path):
    feed, items = read(
        tmp_path,
        "id,name,price,image_link,additional_image_link,fb_product_category",
        '1,Pan,9.99 USD,http://x/a.jpg,"[""http://x/b.jpg"", ""http://x/c.jpg""]",Kitchen > Pans',
    )
    assert (items[0]["title"], items[0]["category"]) == ("Pan", "Kitchen > Pans")
    assert links(feed, "1") == ["http://x/a.jpg", "http://x/b.jpg", "http://x/c.jpg"]


def test_kind_is_found_by_its_marks_or_named():
    assert feed_kind("auto", ["Handle", "Variant Price"]).title.startswith("Shopify")
    assert feed_kind("auto", ["id", "title"]).title.startswith("Google")
    assert feed_kind("akeneo", []).title.startswith("Akeneo")
    with pytest.raises(DataError, match="'shopware' is none of auto, google, facebook, shopify"):
        feed_kind("shopware", [])


def test_shopify_export_without_handles_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"ingest\.feed\.kind: no column 'Handle'"):
        read(tmp_path, "id,title", "1,Pan", kind="shopify")
