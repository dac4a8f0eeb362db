"""A shop before its first click, of real fashion items: the raw files that ingest reads.

Items are those whose full title names one of 24 colours. Their title leaves it out, an attribute
tells it for some of them, pictures show it for all. Queries ask for a colour and a type; right are
all items of the type that are of the colour, told or not.
"""

import csv
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from smar.seeding import generator

_COMMON = "black white blue brown grey red green pink navy purple silver yellow beige"
_RARE = "khaki olive teal tan magenta lavender copper cream gold maroon orange"
RARE = frozenset(_RARE.split())
COLOURS = frozenset(_COMMON.split()) | RARE
SETTINGS: dict[str, Any] = {
    "ingest.source": "feed",
    "ingest.images": {"height": 40, "width": 30, "max_pixels": 40_000_000},
    "ingest.feed.columns": {"attributes": "gender, shade"},
    "ingest.log.kind": "none",
    "ingest.judgements.test_frac": 0.9,
    "model.image.patch": 10,
    "gate.visual_categories": ["Apparel", "Footwear", "Accessories"],
}
"""What params.yaml needs for such a shop, by dotted key."""

_QUERIES = 400
_COLUMNS = ("id", "title", "brand", "product_type", "gender", "shade", "image_link", "price",
            "availability")  # fmt: skip
_GRADE = 2
Row = dict[str, str]


def write_unclicked(fashion: Path, folder: Path, draw: int, size: int, told: float) -> None:
    """Write a shop; draws 0, 1, 2 and so on share no item.

    Args:
        fashion: products.csv with title and title_no_colour, and the images that it names.
        folder: Where it is written to.
        draw: Which items.
        size: How many.
        told: Share of them whose text tells the colour.

    Raises:
        ValueError: If there are not enough items for such a draw.
    """
    rows = _coloured(fashion / "products.csv")
    order = generator(0, "unclicked").permutation(len(rows))
    some = [rows[place] for place in order[draw * size : (draw + 1) * size]]
    if len(some) < size:
        raise ValueError(
            f"draw {draw} of {size} items: {len(rows)} items name a colour, enough for draws below "
            f"{len(rows) // size}. Take a smaller one."
        )
    rng = generator(draw, "unclicked", "told")
    hidden = {some[place]["id"] for place in rng.permutation(size)[int(told * size) :]}
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (folder / "products.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, _COLUMNS, extrasaction="ignore")
        table.writeheader()
        for row in some:
            shutil.copy(fashion / row["image_link"], folder / row["image_link"])
            shade = "" if row["id"] in hidden else row["colour"]
            table.writerow({**row, "title": row["title_no_colour"], "shade": shade})
    _write_queries(folder, some, draw)


def _coloured(products: Path) -> list[Row]:
    """Return the items whose title names a colour, with it as "colour": the first it names."""
    found = []
    with products.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            kept = row["title_no_colour"].lower().split()
            gone = [word for word in row["title"].lower().split() if word not in kept]
            named = [word for word in gone if word in COLOURS]
            if named:
                found.append({**row, "colour": named[0]})
    return found


def _write_queries(folder: Path, some: Sequence[Mapping[str, str]], draw: int) -> None:
    items = defaultdict(list)
    for row in some:
        kind = row["product_type"].split(" > ")[-1].lower()
        items[f"{row['colour']} {kind}"].append(row["id"])
    asked = sorted(items)
    drawn = generator(draw, "unclicked", "queries").permutation(len(asked))[:_QUERIES]
    texts = [asked[place] for place in drawn]
    queries = "".join(f"q{number}\t{text}\n" for number, text in enumerate(texts))
    labels = "".join(
        f"q{number} 0 {item} {_GRADE}\n"
        for number, text in enumerate(texts)
        for item in items[text]
    )
    (folder / "test_queries.tsv").write_text(queries, encoding="utf-8")
    (folder / "test_qrels.txt").write_text(labels, encoding="utf-8")
