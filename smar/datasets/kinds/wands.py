"""WANDS: 480 queries of a furniture shop, judged by people."""

from collections.abc import Iterator

from smar.datasets.dataset import Dataset, Expected, Form, Label, Row, Source
from smar.datasets.reading import records, text

_PRODUCT = ("product_id", "product_name", "product_class", "category hierarchy",
            "category_hierarchy", "product_description", "product_features", "rating_count",
            "average_rating", "review_count")  # fmt: skip


def _items(source: Source, _: str) -> Iterator[Row]:
    for record in records(source.files["products"], _PRODUCT):
        fields = {name: text(value) for name, value in record.items()}
        levels = fields.pop("category hierarchy", "") or fields.pop("category_hierarchy", "")
        category = " > ".join(part.strip() for part in levels.split("/") if part.strip())
        yield Row(
            {
                "id": fields.pop("product_id"),
                "title": fields.pop("product_name"),
                "description": fields.pop("product_description"),
                "category": category or fields["product_class"],
                "features": _features(fields.pop("product_features")),
                **fields,
            }
        )


def _features(pairs: str) -> str:
    """Return "name: value; name: value" of "name:value|name:value"."""
    named = (pair.partition(":") for pair in pairs.split("|"))
    return "; ".join(f"{n.strip()}: {v.strip()}" for n, _, v in named if n.strip() and v.strip())


def _labels(source: Source, _: str) -> Iterator[Label]:
    of_query = records(source.files["queries"], ("query_id", "query"))
    queries = {text(record["query_id"]): text(record["query"]) for record in of_query}
    for record in records(source.files["labels"], ("query_id", "product_id", "label")):
        query_id = text(record["query_id"])
        query = queries.get(query_id, "")
        yield Label(query_id, query, text(record["product_id"]), text(record["label"]))


DATASET = Dataset(
    name="wands",
    title="WANDS (Wayfair Annotation Dataset)",
    what="furniture and home goods without pictures, and queries judged Exact, Partial or "
    "Irrelevant by people",
    licence="MIT",
    origin="github.com/wayfair/WANDS, folder dataset",
    forms=(
        Form(
            "the three csv files",
            (
                Expected("products", "product.csv", "items",
                         ("product_id", "product_name", "product_class", "product_description",
                          "product_features"), 42_994),
                Expected("queries", "query.csv", "queries", ("query_id", "query"), 480),
                Expected("labels", "label.csv", "judgements",
                         ("query_id", "product_id", "label"), 233_448),
            ),
        ),
    ),
    items=_items,
    labels=_labels,
    counts={"": {"items": 42_994, "queries": 480, "labels": 233_448}},
    settings={"gate.visual_categories": [], "evaluate.relevant_grade": 3},
    notes=(
        "Exact is grade 3, Partial 1, Irrelevant 0; only what is Exact counts as relevant",
        "no picture and no log: synthetic queries teach the model",
    ),
)  # fmt: skip
