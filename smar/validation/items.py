"""What the item table promises."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.data import row_rules
from smar.params import ItemRules
from smar.validation.contract import (
    QUARANTINE,
    STOP,
    WARN,
    Contract,
    Rule,
    between,
    chars,
    holds,
    lacks,
    matches,
    one_of,
    promised,
    promises,
)
from smar.validation.kept_facts import KeptFacts
from smar.validation.language import sample, script_shares
from smar.validation.pictures import PictureFacts

# Control characters, the replacement character, and UTF-8 that was read as Latin-1. The characters
# stand for themselves: Arrow's regular expressions have no escapes for them.
BROKEN_TEXT = (
    "[\x01-\x08\x0b-\x1f\x7f-\x9f\ufffd]|\u00c3[\u00a0-\u00bf\u0192]|\u00e2\u20ac|\u00c2\u00a0"
)
MARKUP = r"<[A-Za-z/!][^>]*>|&(?:[a-z]+|#\d+);"
_LEVELS = r"^[^<>]*[^<>\s](?: > [^<>\s][^<>]*)*$|^$"
_ATTRIBUTES = r"^$|^[^:;]+: [^;]+(?:; [^:;]+: [^;]+)*$"
_TEXT = ("title", "description", "brand", "category", "attributes")
_TABLE, _CLAIMS, _COPIES = "items", "item_claims", "item_copies"


def rows(params: ItemRules) -> Contract:
    """Return what every item promises."""
    rules = [
        *promised(row_rules.ITEMS),
        Rule("title_length", QUARANTINE, f"at most {params.max_title_chars} characters",
             chars("title", 0, params.max_title_chars)),
        Rule("title_readable", QUARANTINE, "text without broken characters",
             lacks("title", BROKEN_TEXT)),
        Rule("title_plain", WARN, "text without HTML", lacks("title", MARKUP)),
        Rule("description_length", WARN, f"at most {params.max_description_chars} characters",
             chars("description", 0, params.max_description_chars)),
        Rule("attributes_form", WARN, "'name: value; name: value'",
             matches("attributes", _ATTRIBUTES)),
        Rule("category_form", WARN, "levels parted by ' > '", matches("category", _LEVELS)),
        *_vocabulary(params.categories),
        Rule("price_range", QUARANTINE,
             f"a price from {params.min_price:,.12g} to {params.max_price:,.12g}",
             between("price", params.min_price, params.max_price)),
        Rule("price_typical", WARN,
             f"a price within {params.max_price_ratio:g} times the median of its category",
             between("times_median", 1 / params.max_price_ratio, params.max_price_ratio), "price"),
        Rule("price_currency", WARN, "a currency of three capitals, or none",
             matches("currency", r"^(?:[A-Z]{3})?$")),
        Rule("group_size", WARN, f"at most {params.max_items_per_group} items in a group",
             between("in_group", most=params.max_items_per_group), "group_id"),
        Rule("picture_known", STOP, "pictures that the store has", holds("has_its_pictures"),
             "image_ids"),
        Rule("picture_blank", WARN, "a main picture that shows something", holds("shows_something"),
             "image_ids"),
        Rule("picture_own", WARN,
             f"a main picture that at most {params.max_items_per_picture} items share, equal looks "
             "counted", between("share_picture", most=params.max_items_per_picture), "image_ids"),
    ]  # fmt: skip
    return Contract("items", "rows", rules, key="item_id")


def whole(params: ItemRules, max_quarantined_frac: float) -> Contract:
    """Return what the accepted items promise together."""
    rules = [
        Rule("rows", STOP, f"at least {params.min_rows} rows", between("rows", params.min_rows)),
        Rule("quarantined", STOP, f"at most {max_quarantined_frac:.0%} of the rows quarantined",
             between("quarantined", most=max_quarantined_frac)),
        Rule("picture_coverage", STOP,
             f"a picture for {params.min_picture_coverage:.0%} of the items or more",
             between("with_picture", params.min_picture_coverage)),
        Rule("category_coverage", WARN,
             f"a category for {params.min_category_coverage:.0%} of the items or more",
             between("with_category", params.min_category_coverage)),
        Rule("price_coverage", WARN,
             f"a price for {params.min_price_coverage:.0%} of the items or more",
             between("with_price", params.min_price_coverage)),
        Rule("one_currency", WARN,
             f"one currency for {params.min_main_currency_frac:.0%} of the prices or more",
             between("main_currency", params.min_main_currency_frac)),
        Rule("one_script", WARN,
             f"one script for {params.min_main_script_frac:.0%} of the titles or more",
             between("main_script", params.min_main_script_frac)),
        Rule("distinct_titles", WARN,
             f"distinct titles for {params.min_distinct_titles_frac:.0%} of the items or more",
             between("distinct_titles", params.min_distinct_titles_frac)),
        Rule("no_copies", WARN,
             f"at most {params.max_copies_frac:.0%} of the items equal to another in all but id",
             between("copies", most=params.max_copies_frac)),
    ]  # fmt: skip
    return Contract("items", "whole", rules)


def _vocabulary(categories: list[str]) -> list[Rule]:
    if not categories:
        return []
    words = f"a top-level category out of {', '.join(categories)}"
    expectation = one_of("top_category", categories)
    return [Rule("category_vocabulary", QUARANTINE, words, expectation, "category")]


def prepare(table: pa.Table, pictures: PictureFacts, kept: KeptFacts | None = None) -> pd.DataFrame:
    """Return the items with the columns that the rules need.

    Args:
        table: The items.
        pictures: Facts about the pictures that they refer to.
        kept: Facts that an earlier run found.
    """
    frame: pd.DataFrame = table.drop_columns(["image_ids"]).to_pandas()
    lists = table["image_ids"].combine_chunks()
    main, count = first_pictures(lists)
    flat = pc.list_flatten(lists).to_numpy(zero_copy_only=False)
    owner = np.repeat(np.arange(len(frame)), count)
    unknown = np.zeros(len(frame), bool)
    unknown[owner[(flat < 0) | (flat >= len(pictures))]] = True
    known = (main >= 0) & (main < len(pictures))
    shown = np.where(known, main, 0)
    frame["image_ids"] = main
    frame["pictures"] = count
    frame = frame.assign(**_claims(frame, KeptFacts() if kept is None else kept))
    frame["has_its_pictures"] = ~unknown
    number, categories = pd.factorize(frame["category"])  # far fewer than items
    top = pd.Series(categories).str.split(" > ", n=1).str[0]
    frame["top_category"] = top.array.take(number)
    median = frame["price"].groupby(number).transform("median")
    frame["times_median"] = (frame["price"] / median.where(median > 0)).where(frame["price"] > 0)
    frame["in_group"] = 1
    in_group = (frame["group_id"] != "").to_numpy(bool)
    if in_group.any():
        grouped = frame[in_group].groupby("group_id")["item_id"].transform("size")
        frame.loc[in_group, "in_group"] = grouped
    frame["shows_something"] = ~known
    frame["share_picture"] = 0
    if len(pictures):
        frame["shows_something"] = ~(known & pictures.blank[shown])
        look = np.where(known, pictures.look[shown], -1)
        frame["share_picture"] = _sharing(frame, look)
    return frame


def _claims(frame: pd.DataFrame, kept: KeptFacts) -> dict[str, NDArray[np.bool_]]:
    """Return what items say of themselves and beside each other, by its name."""
    found = kept.of_files(_CLAIMS, [_TABLE])
    if found is None:
        claims = promises(frame, row_rules.ITEMS, {})
        found = pa.table({name: claim.to_numpy(bool) for name, claim in claims.items()})
        kept.keep_of_files(_CLAIMS, found, [_TABLE])
    return {name: found[name].to_numpy() for name in found.column_names}


def _sharing(frame: pd.DataFrame, look: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many things share each item's look; items of one group are one thing."""
    things = (look >= 0).astype(np.int64)
    several = np.flatnonzero(np.bincount(look + 1, minlength=2)[look + 1] * things > 1)
    some = frame[["item_id", "group_id"]].iloc[several]
    thing = some["group_id"].where(some["group_id"] != "", "\0" + some["item_id"])
    things[several] = thing.groupby(look[several]).transform("nunique")
    return things


def figures(
    frame: pd.DataFrame, kept: NDArray[np.bool_], facts: KeptFacts | None = None
) -> pd.DataFrame:
    """Return the figures of the accepted items, one row; NaN where there is nothing to judge.

    Args:
        frame: The items, as `prepare` gives them.
        kept: Which of them are accepted.
        facts: Facts that an earlier run found.
    """
    items = those_left(frame, kept)
    prices = items["price"].notna()
    scripts = script_shares(sample(items["title"]))
    currencies = items.loc[prices, "currency"].value_counts(normalize=True)
    of_all = facts if facts is not None and kept.all() else KeptFacts()
    distinct, copies = _distinct(items, of_all)
    return one_row(
        rows=len(items),
        quarantined=float(1 - kept.mean()) if len(kept) else 0.0,
        with_picture=(items["pictures"] > 0).mean(),
        with_category=(items["category"] != "").mean(),
        with_price=prices.mean(),
        main_currency=currencies.max() if len(currencies) else np.nan,
        main_script=max(scripts.values(), default=np.nan),
        distinct_titles=distinct / len(items) if len(items) else np.nan,
        copies=copies / len(items) if len(items) else np.nan,
    )


def _distinct(items: pd.DataFrame, kept: KeptFacts) -> tuple[int, int]:
    """Return how many titles are distinct, and how many items are others again but for their id."""
    found = kept.of_files(_COPIES, [_TABLE])
    if found is None:
        content = [*_TEXT, "price", "currency", "group_id", "image_ids"]
        number, distinct = pd.factorize(items["title"])
        shared = items[np.bincount(number, minlength=1)[number] > 1]  # copies have the title too
        copies = int(shared.duplicated(content).sum())
        found = pa.table({"distinct": [len(distinct)], "copies": [copies]})
        kept.keep_of_files(_COPIES, found, [_TABLE])
    return int(found["distinct"][0].as_py()), int(found["copies"][0].as_py())


def those_left(frame: pd.DataFrame, kept: NDArray[np.bool_]) -> pd.DataFrame:
    """Return the rows that are kept; where all are, the frame itself, which nobody may change."""
    return frame if kept.all() else frame[kept]


def one_row(**values: object) -> pd.DataFrame:
    """Return a frame of one row of figures."""
    numbers: Mapping[str, list[float]] = {name: [float(v)] for name, v in values.items()}  # type: ignore[arg-type]
    return pd.DataFrame(numbers)


def first_pictures(lists: pa.ListArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first image id of every item, -1 for none, and the number of its pictures."""
    count = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    flat = pc.list_flatten(lists).to_numpy(zero_copy_only=False)
    start = np.cumsum(count) - count
    main = np.full(len(count), -1, np.int64)
    main[count > 0] = flat[start[count > 0]]
    return main, count
