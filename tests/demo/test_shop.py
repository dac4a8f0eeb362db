"""The demo shop: the same bytes each time, and a shop whose pictures are worth something."""

import csv
import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smar.demo.catalogue import COLOURS, KINDS, make_items
from smar.demo.pictures import draw_item
from smar.demo.shop import write_demo_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_demo_shop(folder, num_items=300, num_searches=600, seed=3)
    return folder


def ndjson(path: Path) -> list[dict]:
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def feed(shop: Path) -> list[dict[str, str]]:
    with (shop / "products.csv").open() as file:
        return list(csv.DictReader(file))


def test_same_seed_gives_the_same_bytes(shop: Path, tmp_path: Path):
    write_demo_shop(tmp_path, num_items=300, num_searches=600, seed=3)
    files = sorted(path.relative_to(shop) for path in shop.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert all((shop / f).read_bytes() == (tmp_path / f).read_bytes() for f in files)


def test_half_of_the_items_are_visual_and_half_of_their_titles_keep_quiet():
    items = make_items(2000, np.random.default_rng(0))
    visual = [item for item in items if item.kind.is_visual]
    assert len(visual) == 1000
    quiet = sum("colour" not in item.told for item in visual)
    assert quiet == pytest.approx(500, abs=60)
    assert len({kind.category for kind in KINDS}) >= 12
    for item in visual:
        if "colour" not in item.told:
            assert item.facts["colour"] not in item.title.lower().split()


def test_colour_of_an_item_can_be_seen():
    rng = np.random.default_rng(0)
    dresses = [
        item
        for item in make_items(4000, rng)
        if item.kind.name == "dress" and item.facts["pattern"] == "plain"
    ]
    names, palette = list(COLOURS), np.array(list(COLOURS.values()), float)
    right = 0
    for item in dresses:
        centre = np.asarray(draw_item(item, rng))[60:90, 38:58].reshape(-1, 3).mean(0)
        right += names[np.linalg.norm(palette - centre, axis=1).argmin()] == item.facts["colour"]
    assert right / len(dresses) > 0.9


def test_pictures_of_other_items_say_nothing_about_their_facts():
    rng = np.random.default_rng(0)
    cables = [item for item in make_items(3000, rng) if item.kind.name == "cable"]
    by_connector: dict[str, list[np.ndarray]] = {}
    for item in cables:
        picture = np.asarray(draw_item(item, rng), float).mean((0, 1))
        by_connector.setdefault(item.facts["connector"], []).append(picture)
    means = np.array([np.mean(group, axis=0) for group in by_connector.values()])
    assert means.std(0).max() < 5


def test_log_refers_to_the_catalogue_and_prefers_the_top(shop: Path):
    ids = {row["id"] for row in feed(shop)}
    searches = {s["query_id"]: s for s in ndjson(shop / "ubi_queries.ndjson.gz")}
    events = ndjson(shop / "ubi_events.ndjson.gz")
    positions = Counter()
    for event in events:
        position = event["event_attributes"]["position"]["ordinal"]
        item = event["event_attributes"]["object"]["object_id"]
        assert item in ids
        assert searches[event["query_id"]]["query_response_hit_ids"][position - 1] == item
        positions[position] += 1
    assert sum(positions[p] for p in range(1, 6)) > sum(positions[p] for p in range(11, 16))


def test_test_queries_are_judged_and_some_are_held_out(shop: Path):
    logged = {s["user_query"] for s in ndjson(shop / "ubi_queries.ndjson.gz")}
    tests = dict(line.split("\t") for line in (shop / "test_queries.tsv").read_text().splitlines())
    labels = [line.split() for line in (shop / "test_qrels.txt").read_text().splitlines()]
    relevant = {query for query, _, _, grade in labels if grade == "2"}
    assert relevant == set(tests)
    unseen = [text for text in tests.values() if text not in logged]
    assert 0.5 < len(unseen) / len(tests) < 0.95


def test_a_few_items_have_two_pictures_and_a_few_have_none(shop: Path):
    rows = feed(shop)
    assert any(row["additional_image_link"] for row in rows)
    links = [row[c] for row in rows for c in ("image_link", "additional_image_link") if row[c]]
    for link in links:
        with Image.open(shop / link) as image:
            assert image.size == (96, 120)
