"""ESCI (Shopping Queries) with the pictures of SQID."""

from collections.abc import Iterator

from smar.datasets.dataset import Dataset, Expected, Form, Label, Row, Source, figures
from smar.datasets.reading import records, text

_LARGE = "-large"
_LOCALES = ("us", "es", "jp")
_EXAMPLE = ("query", "query_id", "product_id", "product_locale", "esci_label", "small_version",
            "large_version", "split")  # fmt: skip
_PRODUCT = ("product_id", "product_title", "product_description", "product_bullet_point",
            "product_brand", "product_color", "product_locale")  # fmt: skip


def _examples(source: Source, part: str) -> Iterator[dict[str, str]]:
    """Yield the judged pairs of a part."""
    locale = part.removesuffix(_LARGE)
    version = "large_version" if part.endswith(_LARGE) else "small_version"
    for record in records(source.files["examples"], _EXAMPLE):
        if text(record["product_locale"]) == locale and text(record[version]) == "1":
            yield {name: text(value) for name, value in record.items()}


def _items(source: Source, part: str) -> Iterator[Row]:
    """Yield the items that a part's judgements name; the picture is a link, where SQID has one."""
    wanted = {example["product_id"] for example in _examples(source, part)}
    links: dict[str, str] = {}
    for record in records(source.files.get("pictures", []), ("product_id", "image_url")):
        links[text(record["product_id"])] = text(record["image_url"])
    locale = part.removesuffix(_LARGE)
    seen: set[str] = set()
    for record in records(source.files["products"], _PRODUCT):
        item_id = text(record["product_id"])
        if text(record["product_locale"]) != locale or item_id in seen or item_id not in wanted:
            continue
        seen.add(item_id)
        fields = {
            "id": item_id,
            "title": text(record["product_title"]),
            "description": text(record["product_description"]),
            "brand": text(record["product_brand"]),
            "colour": text(record["product_color"]),
            "bullet_points": text(record["product_bullet_point"]),
        }
        yield Row(fields, links.get(item_id) or None)


def _of_split(source: Source, part: str, split: str) -> Iterator[Label]:
    for example in _examples(source, part):
        if example["split"] == split:
            yield Label(
                example["query_id"], example["query"], example["product_id"], example["esci_label"]
            )


def _labels(source: Source, part: str) -> Iterator[Label]:
    yield from _of_split(source, part, "test")


def _engaged(source: Source, part: str) -> Iterator[Label]:
    """Yield the exact answers of the training split."""
    for label in _of_split(source, part, "train"):
        if label.grade.lower() in {"e", "exact"}:
            yield label


DATASET = Dataset(
    name="esci",
    title="ESCI (Shopping Queries), with pictures of SQID",
    what="products of Amazon in English, Spanish and Japanese, and hard queries judged Exact, "
    "Substitute, Complement or Irrelevant; SQID gives links to pictures of the English test set",
    licence="Apache-2.0 (ESCI); MIT (SQID); the photographs belong to Amazon's sellers",
    origin="github.com/amazon-science/esci-data, and huggingface.co/datasets/crossingminds/"
    "shopping-queries-image-dataset",
    forms=(
        Form(
            "the parquet files",
            (
                Expected("examples", "shopping_queries_dataset_examples.parquet",
                         "judged pairs", _EXAMPLE),
                Expected("products", "shopping_queries_dataset_products.parquet",
                         "items of all languages", _PRODUCT),
                Expected("pictures", "*product_image_urls.*", "SQID: links to pictures",
                         ("product_id", "image_url"), 164_900 + 27_139, is_needed=False),
            ),
        ),
    ),
    items=_items,
    labels=_labels,
    engaged=_engaged,
    parts=(*_LOCALES, *(f"{locale}{_LARGE}" for locale in _LOCALES)),
    counts={
        "us": {"queries": 8_956, "labels": 181_701},
        "es": {"queries": 2_417, "labels": 65_883},
        "jp": {"queries": 3_123, "labels": 88_789},
        "us-large": {"queries": 22_458, "labels": 425_762},
        "es-large": {"queries": 3_844, "labels": 93_347},
        "jp-large": {"queries": 4_667, "labels": 118_907},
    },
    settings={
        "gate.visual_categories": [],
        "evaluate.relevant_grade": 3,
        # Links that lead nowhere any more, or that were not fetched: the items stay, as text.
        "ingest.quarantine_limits.pictures": 1.0,
    },
    figures=figures("ranking of judged items (task 1, all languages)", ("nDCG",), {
        "fine-tuned cross-encoders": (0.83,),
    }),
    figures_from="github.com/amazon-science/esci-data, README.md (0.852 on the challenge's own "
    "public test)",
    notes=(
        "the catalogue is what the part's judgements name, not all 1.8 million products",
        "the test split is judged; exact answers of the training split stand as clicks, one search "
        "a query, so that there is something to learn from: no shopper clicked them",
        "pictures are links: `smar fetch-pictures` downloads them, once the parameters are set; "
        "without them, and for links that are dead, items are text alone",
        "the published nDCG ranks the judged items of each query; `dvc repro` reports nDCG over "
        "the whole catalogue, which is harder and not comparable",
    ),
)  # fmt: skip
