"""Shops in which nothing moved, and shops in which one thing did: to try thresholds on.

The same shop at two dates, with its searches dealt at random, differs by chance alone, and so do
two random halves of its items and searches: an alarm between them is a false one. Each drift is
planted into the second; it works on any shop's tables.
"""

import codecs
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import stats

from smar.data.images import ImageStore
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


def split_dates(
    shop: ShopTables, window_days: float, rng: np.random.Generator
) -> tuple[ShopTables, ShopTables]:
    """Return a shop twice, with the same items: most of its log, and as much as a usual window.

    That is the case that occurs: the shop that a release was made from, and the same some days
    later. Searches are dealt at random, so that only chance tells the two apart. Times are dealt
    too: each side's newest days hold as much as any others.
    """
    times = shop.searches["timestamp"]
    days = max((times.max() - times.min()).total_seconds() / 86_400, window_days)
    now = rng.random(len(shop.searches)) < min(0.5, window_days / days)
    sides = []
    for chosen in (~now, now):
        kept = shop.searches[chosen].reset_index(drop=True)
        events = shop.engagements["search_id"].isin(kept["search_id"])
        own = shop.engagements[events].reset_index(drop=True)
        sides.append(replace(shop, searches=kept, engagements=own))
    end = times.max() - pd.to_timedelta(rng.random(len(sides[1].searches)) * window_days, "D")
    moved = sides[1].searches.assign(timestamp=end)
    of_search = moved.set_index("search_id")["timestamp"]
    own = sides[1].engagements
    own = own.assign(timestamp=own["search_id"].map(of_search))
    return sides[0], replace(sides[1], searches=moved, engagements=own)


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
    return _compare(*split_shop(shop, rng), retriever, params, number, plant)


def compare_dates(
    shop: ShopTables,
    retriever: Retriever,
    params: Params,
    number: int,
    plant: Plant | None = None,
) -> DriftVerdict:
    """Return the verdict on a shop some days later, of which nothing but chance moved.

    Arguments as of `compare_halves`; `plant` changes the later one.
    """
    rng = generator(params.seed, "dates", number)
    then, now = split_dates(shop, params.drift.window_days, rng)
    return _compare(then, now, retriever, params, number, plant)


def _compare(
    then: ShopTables,
    now: ShopTables,
    retriever: Retriever,
    params: Params,
    number: int,
    plant: Plant | None,
) -> DriftVerdict:
    if plant:
        now = plant(now, generator(params.seed, "plant", number))
    # Two snapshots of one shop draw their samples apart, as they do at two dates.
    reference, current = (
        take_snapshot(side, retriever, params.evaluate, 2 * number + place)
        for place, side in enumerate((then, now))
    )
    return compare_snapshots(reference, current, params.drift).verdict


def false_alarm_bound(alarms: int, runs: int) -> float:
    """Return the rate of false alarms that is not exceeded with 95 % certainty.

    The one-sided limit of Clopper and Pearson (1934): 0 of 20 bounds the rate at 14 %.
    """
    return 1.0 if alarms == runs else float(stats.beta.ppf(0.95, alarms + 1, runs - alarms))


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
    table = shop.images.table.to_pandas().assign(shard="dark", place=np.arange(len(darker)))
    place = pa.Table.from_pandas(table, preserve_index=False)
    images = ImageStore({"dark": darker}, place, shop.images.height, shop.images.width)
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
