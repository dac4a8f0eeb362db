"""Shops in which nothing moved, and shops in which one thing did: to try thresholds on.

Two random halves of one shop's items and searches differ by chance alone, so an alarm between them
is a false one. Each drift is planted into the second half; it works on any shop's tables.
"""

import codecs
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from smar.data.images import SHARD_SIZE, ImageStore
from smar.monitoring.drift import compare_snapshots
from smar.monitoring.snapshot import ShopTables, take_snapshot
from smar.monitoring.verdict import DriftVerdict
from smar.params import Params
from smar.seeding import generator
from smar.service.retriever import Retriever

Plant = Callable[[ShopTables, np.random.Generator], ShopTables]

_NEW_ITEMS = 0.06
_DEARER = 1.4
_DUSK = np.array([0.55, 0.6, 0.75])
_FOREIGN = 0.3
_OUT_OF_SEASON = 0.1


def split_shop(shop: ShopTables, rng: np.random.Generator) -> tuple[ShopTables, ShopTables]:
    """Return two random halves of a shop: disjoint items, disjoint searches with what they led to.

    Queries stay whole: they are the words of the log, not occasions.
    """
    of_item = rng.random(len(shop.items)) < 0.5
    of_search = rng.random(len(shop.searches)) < 0.5
    halves = []
    for items, searches in ((of_item, of_search), (~of_item, ~of_search)):
        kept = shop.searches[searches].reset_index(drop=True)
        events = shop.engagements["search_id"].isin(kept["search_id"])
        halves.append(
            replace(
                shop,
                items=shop.items[items].reset_index(drop=True),
                searches=kept,
                engagements=shop.engagements[events].reset_index(drop=True),
            )
        )
    return halves[0], halves[1]


def compare_halves(
    shop: ShopTables,
    retriever: Retriever,
    params: Params,
    number: int,
    plant: Plant | None = None,
) -> DriftVerdict:
    """Return the verdict on the second of two random halves of a shop against the first.

    Args:
        shop: The shop.
        retriever: The release that it is searched with.
        params: The project's parameters; thresholds are those of `drift`.
        number: Decides the halves.
        plant: Changes the second half; None: nothing moved.
    """
    rng = generator(params.seed, "calibration", number)
    then, now = split_shop(shop, rng)
    if plant:
        now = plant(now, rng)
    reference, current = (
        take_snapshot(half, retriever, params.evaluate, number) for half in (then, now)
    )
    metric = params.evaluate.primary
    return compare_snapshots(reference, current, params.drift, metric).verdict


def plant_new_category(shop: ShopTables, rng: np.random.Generator) -> ShopTables:
    """Return the shop with some items of a category that it never had."""
    items = shop.items.copy()
    chosen = rng.random(len(items)) < _NEW_ITEMS
    items.loc[chosen, "category"] = "Astronomy > Telescopes"
    items.loc[chosen, "title"] = "Refractor telescope " + items.loc[chosen, "title"]
    return replace(shop, items=items)


def plant_season(shop: ShopTables, rng: np.random.Generator) -> ShopTables:
    """Return the shop with most searches for its busiest category gone."""
    clicked = shop.engagements.drop_duplicates("search_id").set_index("search_id")["item_id"]
    asked = shop.searches["search_id"].map(clicked).map(shop.categories)
    query_asks = asked.groupby(shop.searches["query_id"]).agg(_most_frequent)
    busiest = asked.mode().iloc[0]
    gone = shop.searches["query_id"].map(query_asks) == busiest
    kept = ~gone | (rng.random(len(gone)) < _OUT_OF_SEASON)
    searches = shop.searches[kept].reset_index(drop=True)
    events = shop.engagements["search_id"].isin(searches["search_id"])
    return replace(shop, searches=searches, engagements=shop.engagements[events])


def plant_prices(shop: ShopTables, rng: np.random.Generator) -> ShopTables:
    """Return the shop with every price raised by two fifths, give or take."""
    factor = _DEARER * np.exp(rng.normal(0, 0.05, len(shop.items)))
    return replace(shop, items=shop.items.assign(price=shop.items["price"] * factor))


def plant_picture_style(shop: ShopTables, rng: np.random.Generator) -> ShopTables:
    """Return the shop with all pictures taken in another light."""
    pixels = shop.images.read(np.arange(len(shop.images)))
    light = _DUSK * rng.uniform(0.95, 1.05, (len(pixels), 1, 1, 1))
    darker = np.clip(pixels * light, 0, 255).astype(np.uint8)
    shards = [darker[start : start + SHARD_SIZE] for start in range(0, len(darker), SHARD_SIZE)]
    images = ImageStore(shards, shop.images.table, shop.images.height, shop.images.width)
    return replace(shop, images=images)


def plant_language(shop: ShopTables, rng: np.random.Generator) -> ShopTables:
    """Return the shop with a share of the searches in a language that it never heard (a cipher)."""
    foreign = rng.random(len(shop.searches)) < _FOREIGN
    ids = shop.searches["query_id"]
    spoken = shop.queries[shop.queries["query_id"].isin(ids[foreign])]
    translated = spoken.assign(
        query_id="x-" + spoken["query_id"],
        query=[codecs.encode(text, "rot13") for text in spoken["query"]],
        split="train",
    )
    searches = shop.searches.assign(query_id=ids.where(~foreign, "x-" + ids))
    return replace(
        shop, searches=searches, queries=pd.concat([shop.queries, translated], ignore_index=True)
    )


def _most_frequent(values: pd.Series) -> object:
    counts = values.value_counts()
    return counts.index[0] if len(counts) else None


# Each drift with the signals that name what was done; one of them has to be an alarm.
DRIFTS: dict[str, tuple[Plant, frozenset[str]]] = {
    "new category": (plant_new_category, frozenset({"items.new_category"})),
    "season change": (plant_season, frozenset({"queries.asked"})),
    "price shift": (plant_prices, frozenset({"items.price"})),
    "picture style change": (plant_picture_style, frozenset({"embeddings.image"})),
    "query language shift": (
        plant_language,
        frozenset({"queries.unknown_words", "embeddings.query"}),
    ),
}
