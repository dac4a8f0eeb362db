"""KAGL: the fashion catalogue of an Indian shop, and seven retrieval tasks by Marqo."""

from collections.abc import Iterator
from pathlib import Path

from smar.datasets.dataset import Dataset, Expected, Form, Row, Source, Task, figures
from smar.datasets.reading import hub_items, records, text
from smar.sources.feed_links import links_in

_HUB, _KAGGLE, _FEED = "parquet files of Marqo/KAGL", "Kaggle's styles.csv", "a feed of a part"
_RECALL = ("recall@1", "recall@10", "mrr@10")
_PRECISION = ("precision@1", "precision@10", "mrr@10")
_COLUMNS = ("category1", "category2", "category3", "baseColour", "season", "year", "usage")
_OF_KAGGLE = {
    "id": "id", "title": "productDisplayName", "gender": "gender", "category1": "masterCategory",
    "category2": "subCategory", "category3": "articleType", "baseColour": "baseColour",
    "season": "season", "year": "year", "usage": "usage",
}  # fmt: skip
_PRODUCT_SHARE = 0.9  # of the picture in the documents of Marqo's tasks that find products


def _task(name: str, column: str) -> Task:
    """Return a task that finds products by the value of a column."""
    truth = f"ground_truth_{column}-image+text.json"
    return Task(name, column, _PRECISION, picture_share=_PRODUCT_SHARE, truth=truth)


def _items(source: Source, _: str) -> Iterator[Row]:
    """Yield the items; a picture is content, or a file beside the table."""
    if source.form == _HUB:
        of_hub = hub_items(source.files["items"], "item_ID", "text", ("gender", *_COLUMNS))
        yield from (_of(dict(row.fields), row.picture) for row in of_hub)
        return
    table = source.files["items"][0]
    if source.form == _KAGGLE:
        for record in records([table], list(_OF_KAGGLE.values())):
            fields = {ours: text(record.get(theirs)) for ours, theirs in _OF_KAGGLE.items()}
            picture = table.parent / "images" / f"{fields['id']}.jpg"
            yield _of(fields, picture if picture.is_file() else None)
    else:
        wanted = ("id", "title", "gender", *_COLUMNS, "product_type", "brand", "image_link")
        for record in records([table], wanted):
            yield _of_feed(table, record)


def _of_feed(path: Path, record: dict[str, object]) -> Row:
    """Return an item of a feed that has the categories as levels of a product type."""
    fields = {name: text(value) for name, value in record.items() if name != "image_link"}
    levels = [level.strip() for level in fields.pop("product_type", "").split(">")]
    for place, level in enumerate(levels, start=1):
        fields.setdefault(f"category{place}", level)
    links = links_in(record.get("image_link"), several=False)
    picture = path.parent / links[0] if links and "//" not in links[0] else None
    folder = path.parent.resolve()
    if picture and not (picture.is_file() and picture.resolve().is_relative_to(folder)):
        picture = None
    return _of(fields, picture)


def _of(fields: dict[str, str], picture: bytes | Path | str | None) -> Row:
    """Return an item with its levels as one category."""
    levels = [fields.setdefault(f"category{place}", "") for place in (1, 2, 3)]
    return Row({**fields, "category": " > ".join(level for level in levels if level)}, picture)


DATASET = Dataset(
    name="kagl",
    title="KAGL (Fashion Product Images)",
    what="products of a fashion shop, 2011 to 2017, each with a title, a photograph, a colour, "
    "three levels of category, season and usage; Marqo's tasks find pictures and products by them",
    licence="MIT, says the card of Marqo/KAGL, whose authors do not own the data; the photographs' "
    "own licence is not stated",
    origin="huggingface.co/datasets/Marqo/KAGL (ground truth: github.com/marqo-ai/"
    "marqo-FashionCLIP, data/KAGL/gt_query_doc), or kaggle.com/datasets/paramaggarwal/"
    "fashion-product-images-dataset",
    forms=(
        Form(
            _HUB,
            (
                Expected(
                    "items",
                    "data/data-*.parquet",
                    "items with their pictures",
                    ("item_ID", "text", "image", "category1", "category2", "category3",
                     "baseColour", "season", "usage"),
                    44_434,
                ),
                Expected("truth", "ground_truth_*.json", "Marqo's right answers", is_needed=False),
            ),
        ),
        Form(
            _KAGGLE,
            (
                Expected("items", "styles.csv", "items", tuple(_OF_KAGGLE.values())),
                Expected("pictures", "images", "photographs, ID.jpg"),
                Expected("truth", "ground_truth_*.json", "Marqo's right answers", is_needed=False),
            ),
        ),
        Form(
            _FEED,
            (
                Expected("items", "products.*", "items", ("id", "title", "image_link")),
                Expected("truth", "ground_truth_*.json", "Marqo's right answers", is_needed=False),
            ),
        ),
    ),
    items=_items,
    counts={"": {"items": 44_434}},
    settings={
        "gate.visual_categories": ["Apparel", "Footwear", "Accessories"],
        "ingest.feed.columns.attributes": "gender",
    },
    tasks=(
        Task("text-to-image", "title", _RECALL, max_queries=2000,
             truth="ground_truth_text-image.json"),
        _task("category-to-product", "category1"),
        _task("sub-category-to-product", "category2"),
        _task("fine-category-to-product", "category3"),
        _task("color-to-product", "baseColour"),
        _task("season-to-product", "season"),
        _task("usage-to-product", "usage"),
    ),
    figures=(
        *figures("text-to-image", _RECALL, {
            "FashionSigLIP": (0.179, 0.489, 0.293), "FashionCLIP": (0.159, 0.446, 0.265),
            "ViT-B-16-SigLIP": (0.169, 0.468, 0.272), "FashionCLIP2.0": (0.122, 0.404, 0.217),
        }),
        *figures("category-to-product", _PRECISION, {
            "FashionSigLIP": (0.571, 0.686, 0.643), "FashionCLIP": (0.714, 0.571, 0.714),
            "ViT-B-16-SigLIP": (0.714, 0.700, 0.714), "FashionCLIP2.0": (0.714, 0.686, 0.714),
        }),
        *figures("sub-category-to-product", _PRECISION, {
            "FashionSigLIP": (0.711, 0.687, 0.756), "FashionCLIP": (0.667, 0.613, 0.691),
            "ViT-B-16-SigLIP": (0.689, 0.644, 0.731), "FashionCLIP2.0": (0.600, 0.571, 0.627),
        }),
        *figures("fine-category-to-product", _PRECISION, {
            "FashionSigLIP": (0.704, 0.629, 0.763), "FashionCLIP": (0.725, 0.613, 0.772),
            "ViT-B-16-SigLIP": (0.669, 0.611, 0.736), "FashionCLIP2.0": (0.634, 0.577, 0.694),
        }),
        *figures("color-to-product", _PRECISION, {
            "FashionSigLIP": (0.587, 0.502, 0.664), "FashionCLIP": (0.500, 0.496, 0.614),
            "ViT-B-16-SigLIP": (0.500, 0.417, 0.564), "FashionCLIP2.0": (0.413, 0.443, 0.518),
        }),
        *figures("season-to-product", _PRECISION, {
            "FashionSigLIP": (0.500, 0.350, 0.500), "FashionCLIP": (0.250, 0.425, 0.542),
            "ViT-B-16-SigLIP": (0.250, 0.400, 0.375), "FashionCLIP2.0": (0.500, 0.225, 0.550),
        }),
        *figures("usage-to-product", _PRECISION, {
            "FashionSigLIP": (0.375, 0.400, 0.438), "FashionCLIP": (0.250, 0.263, 0.354),
            "ViT-B-16-SigLIP": (0.500, 0.388, 0.500), "FashionCLIP2.0": (0.250, 0.237, 0.275),
        }),
    ),
    figures_from="github.com/marqo-ai/marqo-FashionCLIP, LEADERBOARD.md of 2024-08-09",
    notes=(
        "category, sub-category, season and usage have 7, 45, 4 and 8 queries: one query moves a "
        "figure by 2 to 25 points",
    ),
)  # fmt: skip
