"""Items whose pattern only the second picture shows."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from smar.demo.catalogue import make_items
from smar.demo.shop import write_demo_shop
from smar.params.ingest import DemoParams
from smar.seeding import generator
from studies.second_views import write_second_views

SHOP = DemoParams(num_items=200, num_searches=300)


def feed(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "products.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def tones(path: Path) -> float:
    """Return how far the picture's middle varies in light."""
    with Image.open(path) as picture:
        grey = np.asarray(picture.convert("L"), np.float64)
    return float(grey[44:84, 40:56].std())


def test_turned_items_have_their_pattern_on_the_second_picture_and_all_else_stays(tmp_path: Path):
    plain, turned = tmp_path / "plain", tmp_path / "turned"
    write_demo_shop(plain, **SHOP.model_dump(), seed=3)
    write_second_views(turned, SHOP, 3, 1.0)
    before, after = feed(plain), feed(turned)
    items = {item.item_id: item for item in make_items(200, generator(3, "catalogue"))}
    patterned = {k for k, item in items.items() if item.facts.get("pattern", "plain") != "plain"}
    shirts = [k for k in patterned if items[k].kind.name in ("shirt", "dress", "jacket", "skirt")]
    assert len(shirts) > 5
    for key in shirts:
        first, second = (turned / after[key][f"{part}image_link"] for part in ("", "additional_"))
        assert tones(first) < tones(second) / 2
    links = ("image_link", "additional_image_link")
    for key in before:
        told = [
            {k: v for k, v in row.items() if k not in links} for row in (before[key], after[key])
        ]
        assert told[0] == told[1]
        if key not in patterned:
            assert before[key] == after[key]
    for name in ("ubi_queries.ndjson.gz", "ubi_events.ndjson.gz", "test_qrels.txt"):
        assert (plain / name).read_bytes() == (turned / name).read_bytes()


def test_a_share_of_nothing_is_the_demo_shop(tmp_path: Path):
    write_demo_shop(tmp_path / "a", **SHOP.model_dump(), seed=3)
    write_second_views(tmp_path / "b", SHOP, 3, 0.0)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert all(
        (tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files
    )
