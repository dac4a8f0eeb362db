"""A shop of random items and a slow search of it, for tests of the service."""

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from smar.data import schema
from smar.data.text import item_texts
from smar.index.ann import VectorIndex, gated_items, gated_queries
from smar.index.building import build_index
from smar.index.hybrid import HybridIndex
from smar.index.words import WordIndex
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_queries
from smar.params import IndexParams
from smar.service.filters import All, AnyOf, Between, Either, Filter, Not
from smar.service.items import ItemTable
from smar.service.retriever import Retriever
from tests.index.test_ann import unit

DIM = 16
_PICTURES = 5000
COLOURS = ["red", "blue", "green", "black"]
KINDS = ["boot", "sandal", "novel", "atlas"]
CATEGORIES = ["Shoes > Boots", "Shoes > Sandals > Flat", "Books", ""]
BRANDS = ["Acme", "Zeta", "Ostara", ""]


def item_frame(number: int, seed: int = 0) -> pd.DataFrame:
    """Return random items; brands, prices and more are missing here and there."""
    rng = np.random.default_rng(seed)
    rows = []
    for row in range(number):
        more = {"material": str(rng.choice(["wool", "cotton"])), "stars": str(rng.integers(1, 6))}
        rows.append(
            dict.fromkeys(schema.ITEMS.names, "")
            | {
                "item_id": f"i{row:04d}",
                "title": f"{rng.choice(COLOURS)} {rng.choice(KINDS)} no {row}",
                "brand": str(rng.choice(BRANDS)),
                "category": str(rng.choice(CATEGORIES)),
                "attributes": f"season: {rng.choice(['summer', 'winter'])}; fit: wide",
                "group_id": f"g{rng.integers(number // 3 + 1)}" if rng.random() < 0.7 else "",
                "price": float(rng.integers(1, 40)) if rng.random() < 0.9 else None,
                "price_max": None,
                "currency": "EUR",
                "sale_price": None,
                "sale_from": pd.Timestamp("2025-01-01", tz="UTC") if row % 3 else pd.NaT,
                "sale_to": pd.NaT,
                "availability": str(rng.choice(["in_stock", "out_of_stock"])),
                "more": json.dumps(more) if rng.random() < 0.8 else "",
                "image_ids": [row] if row % 4 else [],
            }
        )
    return pd.DataFrame(rows, columns=schema.ITEMS.names)


def vectors_of(number: int, seed: int = 0) -> NDArray[np.float32]:
    """Return random item rows, [N, 2 D]."""
    return gated_items(*unit(np.random.default_rng(seed), 2, number, DIM))


def build_shop(
    model: DualEncoder,
    frame: pd.DataFrame,
    vectors: NDArray[np.float32],
    word_share: float,
    *,
    exact_below: int = 50_000,
) -> Retriever:
    """Return a retriever of items with given vectors."""
    ids = list(frame["item_id"])
    params = IndexParams(exact_below=exact_below, recall_at=10, sample_queries=50, word_share=0.0)
    found: VectorIndex = build_index(vectors, ids, params, lambda: vectors[:50] / 2)
    table = pa.Table.from_pandas(frame, schema=schema.ITEMS, preserve_index=False)
    words = WordIndex.build(item_texts(frame))
    shas = [f"sha{image_id}" for image_id in range(_PICTURES)]
    items = ItemTable(table, shas)
    return Retriever(
        lambda: model, HybridIndex(found, words, word_share), items, root=None, release="v1"
    )


@cache
def items_of(shop: Retriever) -> list[dict[str, Any]]:
    """Return every item in plain types."""
    return shop.items.read(np.arange(len(shop.items)))


@cache
def score_all(shop: Retriever, query: str) -> NDArray[np.float32]:
    """Return the score of every item, one by one."""
    encoded = encode_queries(shop.model, [query])
    gated = gated_queries(encoded.vector, encoded.gate)[0]
    stored = shop.index.vectors.gathered(np.arange(len(shop.items)))
    similarity = np.array([float(gated @ row) for row in stored])
    share = shop.index.word_share
    return (1 - share) * similarity + share * shop.index.words.shares(query)


def allows(condition: Filter, item: dict[str, Any]) -> bool:
    """Return whether a filter allows an item, looked at by itself."""
    match condition:
        case All(of=parts):
            return all(allows(part, item) for part in parts)
        case Either(of=parts):
            return any(allows(part, item) for part in parts)
        case Not(of=inner):
            return not allows(inner, item)
        case AnyOf(field=field, values=values):
            own = value_of(item, field)
            if own in {"", None}:
                return None in values
            below = field == "category"
            return own in values or (below and any(own.startswith(f"{v} > ") for v in values))
        case Between(field=field):
            return _is_within(condition, value_of(item, field))


def _is_within(ends: Between, own: Any) -> bool:
    if own in {"", None}:
        return False
    number = float(own)
    return not (
        (ends.gte is not None and not number >= ends.gte)
        or (ends.gt is not None and not number > ends.gt)
        or (ends.lte is not None and not number <= ends.lte)
        or (ends.lt is not None and not number < ends.lt)
    )


def value_of(item: dict[str, Any], field: str) -> Any:
    """Return a field of an item in plain types, "" or None where unknown."""
    if field in {"material", "stars"}:
        return item["more"].get(field, "")
    if field == "season":
        return item["attributes"].partition("season: ")[2].partition(";")[0]
    return item[field]
