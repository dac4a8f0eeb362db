"""The embedded demo shop, as the raw files that a real shop has: feed, pictures, log, judgements."""

import csv
import gzip
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from smar.demo.catalogue import DemoItem, make_items
from smar.demo.log import Search, Shop, TestQuery, simulate
from smar.demo.pictures import draw_item
from smar.seeding import generator

_NO_PICTURE = 0.01
_SECOND_PICTURE = 0.1
_QUALITY = 90


def write_demo_shop(folder: Path, *, num_items: int, num_searches: int, seed: int) -> None:
    """Write a shop that has never existed; the same seed gives the same bytes.

    Half of the items are bought by eye: their pictures show colour, pattern and shape, and half of
    their titles leave colour or pattern out. The pictures of the others show packaging.

    Args:
        folder: Where products.csv, images/, the UBI log and the test queries go.
        num_items: Size of the catalogue, at least 100.
        num_searches: Size of the log.
        seed: Decides everything.
    """
    items = make_items(num_items, generator(seed, "catalogue"))
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        pictures = list(pool.map(lambda item: _write_pictures(folder, item, seed), items))
    _write_feed(folder / "products.csv", items, pictures)
    searches, tests = simulate(Shop(items), num_searches, generator(seed, "log"))
    _write_log(folder, searches)
    _write_tests(folder, tests)


def _write_pictures(folder: Path, item: DemoItem, seed: int) -> list[str]:
    """Draw an item's pictures and return their paths relative to the folder."""
    rng = generator(seed, "picture", item.item_id)
    draw = rng.random()
    count = 0 if draw < _NO_PICTURE else 2 if draw > 1 - _SECOND_PICTURE else 1
    names = [f"images/{item.item_id}{'-b' if number else ''}.jpg" for number in range(count)]
    for name in names:
        draw_item(item, rng).save(folder / name, quality=_QUALITY, subsampling=0)
    return names


def _write_feed(path: Path, items: list[DemoItem], pictures: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["id", "title", "description", "brand", "product_type", "item_group_id", "price",
             "availability", "image_link", "additional_image_link"]
        )  # fmt: skip
        for item, names in zip(items, pictures, strict=True):
            category = f"{item.kind.category} > {item.kind.plural.capitalize()}"
            description = f"{item.kind.name.capitalize()} by {item.brand}, ready to ship."
            writer.writerow(
                [item.item_id, item.title, description, item.brand, category, item.group_id,
                 f"{item.price:.2f} EUR", "in_stock", *[*names, "", ""][:2]]
            )  # fmt: skip


def _write_log(folder: Path, searches: list[Search]) -> None:
    _write_ndjson(
        folder / "ubi_queries.ndjson.gz",
        (
            {
                "application": "demo",
                "query_id": search.search_id,
                "client_id": search.client_id,
                "user_query": search.text,
                "timestamp": search.time.isoformat(),
                "query_response_hit_ids": search.shown,
            }
            for search in searches
        ),
    )
    _write_ndjson(
        folder / "ubi_events.ndjson.gz",
        (
            {
                "application": "demo",
                "action_name": action,
                "query_id": search.search_id,
                "client_id": search.client_id,
                "timestamp": time.isoformat(),
                "event_attributes": {
                    "object": {"object_id": item_id, "object_id_field": "id"},
                    "position": {"ordinal": position},
                },
            }
            for search in searches
            for action, item_id, position, time in search.events
        ),
    )


def _write_ndjson(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in records)
    # A gzip header holds a file name and a time unless told otherwise; both would change the bytes.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        file.write(lines.encode())


def _write_tests(folder: Path, tests: list[TestQuery]) -> None:
    queries = "".join(f"{test.query_id}\t{test.text}\n" for test in tests)
    (folder / "test_queries.tsv").write_text(queries, encoding="utf-8")
    labels = "".join(
        f"{test.query_id} 0 {item_id} {grade}\n"
        for test in tests
        for item_id, grade in test.grades.items()
    )
    (folder / "test_qrels.txt").write_text(labels, encoding="utf-8")
