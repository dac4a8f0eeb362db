"""Home Depot: search terms of a hardware shop, judged from 1 to 3."""

from collections.abc import Iterator

from smar.datasets.dataset import Dataset, Expected, Form, Label, Row, Source, figures
from smar.datasets.reading import records, text

_BRAND, _COLOUR = "MFG Brand Name", "Color Family"
_TITLED = ("product_uid", "product_title")


def _items(source: Source, _: str) -> Iterator[Row]:
    """Yield the items that a file of pairs names; their titles stand nowhere else."""
    described = records(source.files["descriptions"], ("product_uid", "product_description"))
    descriptions = {text(r["product_uid"]): text(r["product_description"]) for r in described}
    known: dict[str, dict[str, str]] = {}
    for record in records(source.files.get("attributes", []), ("product_uid", "name", "value")):
        name = text(record["name"])
        if name in {_BRAND, _COLOUR}:
            known.setdefault(text(record["product_uid"]), {})[name] = text(record["value"])
    seen: set[str] = set()
    for record in records([*source.files["train"], *source.files.get("test", [])], _TITLED):
        item_id = text(record["product_uid"])
        if item_id in seen:
            continue
        seen.add(item_id)
        about = known.get(item_id, {})
        yield Row(
            {
                "id": item_id,
                "title": text(record["product_title"]),
                "description": descriptions.get(item_id, ""),
                "brand": about.get(_BRAND, ""),
                "colour": about.get(_COLOUR, ""),
            }
        )


def _labels(source: Source, _: str) -> Iterator[Label]:
    for record in records(source.files["train"], ("product_uid", "search_term", "relevance")):
        term = text(record["search_term"])
        query_id = term.replace(" ", "_")
        yield Label(query_id, term, text(record["product_uid"]), text(record["relevance"]))


DATASET = Dataset(
    name="home_depot",
    title="Home Depot Product Search Relevance",
    what="hardware without pictures, and search terms with the mean relevance, 1 to 3, that "
    "several judges gave",
    licence="the rules of the competition on Kaggle, which have to be accepted there",
    origin="kaggle.com/c/home-depot-product-search-relevance",
    forms=(
        Form(
            "Kaggle's csv files",
            (
                Expected("train", "train.csv", "judged pairs",
                         ("product_uid", "product_title", "search_term", "relevance"), 74_067),
                Expected("descriptions", "product_descriptions.csv", "descriptions",
                         ("product_uid", "product_description"), 124_428),
                Expected("test", "test.csv", "pairs without a judgement, for their titles",
                         _TITLED, is_needed=False),
                Expected("attributes", "attributes.csv", "brand and colour",
                         ("product_uid", "name", "value"), is_needed=False),
            ),
        ),
    ),
    items=_items,
    labels=_labels,
    counts={"": {"labels": 74_067}},
    settings={
        "gate.visual_categories": [],
        "ingest.judgements.scale": [1, 3],
        "evaluate.relevant_grade": 2,
    },
    figures=figures("relevance of a pair", ("RMSE",), {
        "third place (private leaderboard)": (0.43271,),
    }),
    figures_from="the competition's leaderboard, as the third place's authors report it",
    notes=(
        "relevance from 1 to 3 becomes grades 0 to 3",
        "the published figure is an error of predicted relevance; smar ranks and predicts none, so "
        "nothing of it can be set beside it",
    ),
)  # fmt: skip
