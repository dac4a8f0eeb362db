"""A demo shop in which some items show what they are asked for on their second picture alone."""

import csv
from dataclasses import replace
from pathlib import Path

from PIL import Image

from smar.demo.catalogue import DemoItem, make_items
from smar.demo.pictures import draw_item
from smar.demo.shop import write_demo_shop
from smar.params.ingest import DemoParams
from smar.seeding import generator

_QUALITY = 90


def write_second_views(folder: Path, shop: DemoParams, seed: int, frac: float) -> None:
    """Write the demo shop with a share of its patterned items turned round.

    Their first picture is plain, as a dress from behind may be, and the second one has the pattern;
    half of the titles do not tell it. All else is the demo shop's: titles, searches, clicks and
    judged queries.

    Args:
        folder: Where the raw files go, as `write_demo_shop` writes them.
        shop: Sizes of the shop.
        seed: Decides everything.
        frac: Share of the items with a pattern that are turned round.
    """
    write_demo_shop(folder, **shop.model_dump(), seed=seed)
    items = make_items(shop.num_items, generator(seed, "catalogue"))
    rng = generator(seed, "second views")
    turned = {
        item.item_id: _draw_both(folder, item, seed)
        for item in items
        if item.facts.get("pattern", "plain") != "plain" and rng.random() < frac
    }
    feed = folder / "products.csv"
    with feed.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with feed.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            first, second = turned.get(row["id"], (row["image_link"], row["additional_image_link"]))
            writer.writerow(row | {"image_link": first, "additional_image_link": second})


def _draw_both(folder: Path, item: DemoItem, seed: int) -> tuple[str, str]:
    """Draw an item without its pattern and with it; return the paths relative to the folder."""
    rng = generator(seed, "second view", item.item_id)
    plain = replace(item, facts=item.facts | {"pattern": "plain"})
    names = f"images/{item.item_id}.jpg", f"images/{item.item_id}-b.jpg"
    pictures: list[Image.Image] = [draw_item(shown, rng) for shown in (plain, item)]
    for name, picture in zip(names, pictures, strict=True):
        picture.save(folder / name, quality=_QUALITY, subsampling=0)
    return names
