"""Marqo-GS-10M: Google Shopping results with their places, in four splits."""

from collections.abc import Iterator
from pathlib import Path

from smar.datasets.dataset import Dataset, Expected, Form, Label, Row, Source, figures
from smar.datasets.reading import hub_items, hub_labels
from smar.errors import DataError

_PARTS = ("in_domain", "novel_query", "novel_document", "zero_shot")


def _files(source: Source, part: str) -> list[Path]:
    paths = [path for path in source.files["pairs"] if path.name.startswith(part)]
    if not paths:
        raise DataError(
            f"{source.folder}: no data/{part}-*.parquet. Download that split, or name one of "
            f"{', '.join(_PARTS)} with --part."
        )
    return paths


def _items(source: Source, part: str) -> Iterator[Row]:
    yield from hub_items(_files(source, part), "product_id", "title", ())


def _labels(source: Source, part: str) -> Iterator[Label]:
    paths = _files(source, part)
    yield from hub_labels(paths, "product_id", "query", "score_linear", query_id="query_id")


DATASET = Dataset(
    name="marqo_gs_10m",
    title="Marqo-GS-10M",
    what="queries and the products, with pictures, that Google Shopping listed for them, each with "
    "a score from 100 for the first place down to 1",
    licence="Apache-2.0",
    origin="huggingface.co/datasets/Marqo/marqo-GS-10M",
    forms=(
        Form(
            "the hub's parquet files",
            (
                Expected("pairs", "data/*-*.parquet", "pairs with pictures; a split is enough",
                         ("image", "query", "product_id", "title", "score_linear", "query_id")),
            ),
        ),
    ),
    items=_items,
    labels=_labels,
    parts=_PARTS,
    settings={
        "gate.visual_categories": [],
        "ingest.judgements.scale": [1, 100],
        "evaluate.relevant_grade": 1,
    },
    figures=figures("in-domain, title and picture", ("nDCG@10", "ERR", "RBP"), {
        "GCL ViT-L-14": (0.603, 0.562, 0.467), "GCL ViT-B-32": (0.577, 0.554, 0.446),
        "CLIP ViT-L-14": (0.310, 0.093, 0.252), "BM25 (titles alone)": (0.071, 0.028, 0.052),
    }),
    figures_from="github.com/marqo-ai/GCL, README.md",
    notes=(
        "scores from 1 to 100 become grades 0 to 3, coarser than the scores of the published nDCG",
        "published: trained on in_domain, measured on its ground truth file of up to 2,000 queries",
        "9.8 million rows with pictures: try a few files of a split first",
    ),
)  # fmt: skip
