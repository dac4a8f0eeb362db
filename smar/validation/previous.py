"""What the accepted tables promise against the tables accepted before.

The profile of the accepted data is kept in the work folder and replaced after a success only, so
that data is always compared with data that was good. Each source has a profile of its own. The one
before is kept with it: the same data validated again, as after a run that was killed, is compared
with what it was compared with the first time, not with itself.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from smar.artifacts import write_json
from smar.errors import ArtifactError
from smar.params import PreviousRules
from smar.validation.contract import STOP, WARN, Contract, Rule, between, holds
from smar.validation.items import one_row
from smar.validation.kept_facts import KeptFacts
from smar.validation.language import (
    distance,
    frequent_words,
    known_words_frac,
    language_counts,
    sample,
    word_counts,
)

FORMAT = 2
_NUMBERS = ("price", "click_through")  # NaN is null in JSON
_SKETCH = 1024
_WORDS = 5000
_CATEGORIES = 10_000
_FEWEST_TEXTS = 50  # with fewer texts in a known language, the mix of languages is noise


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What is remembered of accepted data.

    Args:
        rows: Rows by table.
        missing: Share of rows without a value, by column of the item table.
        categories: Categories.
        item_ids: The smallest hashes of item ids: a sample that does not depend on the order.
        price: Median price, NaN without prices.
        languages: Number of texts by language, of those whose language is known.
        words: The most frequent words of titles.
        known_words: Share of the words of titles that are among them.
        click_through: Share of the searches with an engagement, NaN without searches.
    """

    rows: dict[str, int]
    missing: dict[str, float]
    categories: list[str]
    item_ids: list[str]
    price: float
    languages: dict[str, int]
    words: list[str]
    known_words: float
    click_through: float


class ItemSummary(NamedTuple):
    """What is told of accepted items, here and to those that come after them.

    Args:
        rows: Number of items.
        missing: As of `Profile`.
        categories: Number of items by category, the most frequent first.
        item_ids: As of `Profile`.
        price: As of `Profile`.
        languages: As of `Profile`.
        words: How often the titles of a sample of them use each word.
    """

    rows: int
    missing: dict[str, float]
    categories: dict[str, int]
    item_ids: list[str]
    price: float
    languages: dict[str, int]
    words: dict[str, int]

    @classmethod
    def of(cls, items: pd.DataFrame, kept: KeptFacts | None = None) -> Self:
        """Return the summary of items.

        Args:
            items: The items, as `items.prepare` gives them.
            kept: Where hashes of ids are that an earlier run made.
        """
        empty = {name: float((items[name] == "").mean()) for name in _TEXTS} if len(items) else {}
        sizes = items["category"].value_counts()
        texts = sample(items["title"]).str.cat(sample(items["description"]), sep=" ")
        return cls(
            rows=len(items),
            missing=empty
            | {
                "price": float(items["price"].isna().mean()),
                "image_ids": float((items["pictures"] == 0).mean()),
            },
            categories={str(name): int(size) for name, size in sizes.items()},
            item_ids=_sketch(items["item_id"], KeptFacts() if kept is None else kept),
            price=float(items["price"].median()),
            languages=language_counts(texts),
            words=word_counts(sample(items["title"])),
        )


def summary_of(items: Callable[[], pd.DataFrame], kept: KeptFacts, *, are_all: bool) -> ItemSummary:
    """Return the summary of accepted items; that of a table accepted whole is found once.

    Args:
        items: Returns them; it is not asked where the summary is known.
        kept: Facts that an earlier run found.
        are_all: Whether they are all rows of their table.
    """
    before = kept.of_files(_SUMMARY, ["items"]) if are_all else None
    if before is not None:
        return ItemSummary(**json.loads(before["summary"][0].as_py()))
    found = ItemSummary.of(items(), kept)
    if are_all:
        text = pa.table({"summary": [json.dumps(found._asdict())]})
        kept.keep_of_files(_SUMMARY, text, ["items"])
    return found


def profile_of(items: ItemSummary, rows: dict[str, int], click_through: float) -> Profile:
    """Return the profile of accepted tables.

    Args:
        items: Summary of the items.
        rows: Rows by table.
        click_through: Share of the searches with an engagement.
    """
    used = Counter(items.words)
    words = frequent_words(used, _WORDS)
    return Profile(
        rows=rows,
        missing=items.missing,
        categories=sorted(items.categories)[:_CATEGORIES],
        item_ids=items.item_ids,
        price=items.price,
        languages=items.languages,
        words=words,
        known_words=known_words_frac(used, words),
        click_through=click_through,
    )


_SUMMARY = "item_summary"
_TEXTS = ("description", "brand", "category", "attributes")


def source_key(ingested: dict[str, Any]) -> str:
    """Return the name of a source's profile from the parameters that ingest ran with."""
    source = {"source": ingested["source"], "feed": ingested["feed"]["file"]}
    source |= {"demo": ingested["demo"]} if ingested["source"] == "demo" else {}
    content = json.dumps(source | {"folder": ingested["folder"]}, sort_keys=True)
    return sha256(content.encode()).hexdigest()[:16]


def read_profile(path: Path, inputs: str) -> Profile | None:
    """Return the profile of the data accepted before, None if there is none or of another form.

    Args:
        path: The source's file.
        inputs: Digest of the data that is to be compared. If it was accepted already, it is
            compared with what was accepted before it.

    Raises:
        ArtifactError: If the file is damaged.
    """
    try:
        content = _read(path)
        stored = content["before"] if content["inputs"] == inputs else content["profile"]
        if stored is None:
            return None
        numbers = {name: _number(stored[name]) for name in _NUMBERS}
        return Profile(**{**stored, **numbers})
    except (ValueError, TypeError, KeyError) as error:
        raise ArtifactError(
            f"{path}: the profile of the data accepted before is damaged ({error}). Remove it: the "
            "next run compares with nothing and writes it anew."
        ) from error


def write_profile(path: Path, profile: Profile, inputs: str) -> None:
    """Write the profile of data that was accepted, whole or not at all.

    Args:
        path: The source's file; `read_profile` found it whole, or there is none.
        profile: The profile.
        inputs: Digest of the data.
    """
    old = _read(path)
    own = asdict(profile)
    for name in _NUMBERS:
        own[name] = None if np.isnan(own[name]) else own[name]
    before = old["before"] if old["inputs"] == inputs else old["profile"]
    write_json(path, {"format": FORMAT, "inputs": inputs, "profile": own, "before": before})


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a source's file, one without profiles if there is none."""
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"format": 0}
    if content["format"] != FORMAT:
        content = {"inputs": "", "profile": None, "before": None}
    return content


def volume(params: PreviousRules) -> Contract:
    """Return what the sizes of the tables promise."""
    rules = [
        Rule("rows_kept", STOP, f"at most {params.max_rows_lost_frac:.0%} fewer rows than before",
             between("of_before", 1 - params.max_rows_lost_frac), "rows"),
        Rule("rows_grown", WARN, f"at most {params.max_rows_ratio:g} times the rows of before",
             between("of_before", most=params.max_rows_ratio), "rows"),
    ]  # fmt: skip
    return Contract("previous", "volume", rules, key="table")


def missing(params: PreviousRules) -> Contract:
    """Return what the shares of missing values promise."""
    rise = params.max_missing_rise_frac
    rules = [
        Rule("values_given", STOP, f"at most {rise:.0%} more of the items without a value",
             between("rise", most=rise), "missing"),
    ]  # fmt: skip
    return Contract("previous", "missing", rules, key="column")


def categories() -> Contract:
    """Return what every category promises."""
    rules = [
        Rule("category_known", WARN, "a category that there was before", holds("is_known"),
             "items"),
    ]  # fmt: skip
    return Contract("previous", "categories", rules, key="category")


def whole(params: PreviousRules) -> Contract:
    """Return what the accepted data promises as a whole."""
    rules = [
        Rule("items_kept", STOP,
             f"{params.min_items_kept_frac:.0%} of the item ids of before or more",
             between("items_kept", params.min_items_kept_frac)),
        Rule("categories_kept", STOP,
             f"at most {params.max_new_category_frac:.0%} of the items in categories that there "
             "were not before", between("new_category", most=params.max_new_category_frac)),
        Rule("price_level", STOP,
             f"a median price within {params.max_price_shift:g} times that of before",
             between("price_ratio", 1 / params.max_price_shift, params.max_price_shift)),
        Rule("language_mix", STOP,
             f"a mix of languages of which at most {params.max_language_shift:.0%} moved",
             between("language_shift", most=params.max_language_shift)),
        Rule("words_known", WARN,
             f"at most {params.max_new_words_frac:.0%} more words in titles that were not frequent "
             "before", between("new_words", most=params.max_new_words_frac)),
        Rule("click_through_level", WARN,
             f"engagement within {params.max_click_through_shift:g} times that of before",
             between("click_through_ratio", 1 / params.max_click_through_shift,
                     params.max_click_through_shift)),
    ]  # fmt: skip
    return Contract("previous", "whole", rules)


def volume_table(now: Profile, before: Profile) -> pd.DataFrame:
    """Return the size of every table that had rows before."""
    return pd.DataFrame(
        [
            {"table": name, "rows": f"{count} before, {now.rows[name]} now",
             "of_before": now.rows[name] / count}
            for name, count in before.rows.items()
            if count
        ],
        columns=["table", "rows", "of_before"],
    )  # fmt: skip


def missing_table(now: Profile, before: Profile) -> pd.DataFrame:
    """Return the share of missing values of every column."""
    return pd.DataFrame(
        [
            {"column": name, "missing": f"{share:.1%} before, {now.missing[name]:.1%} now",
             "rise": now.missing[name] - share}
            for name, share in before.missing.items()
        ],
        columns=["column", "missing", "rise"],
    )  # fmt: skip


def category_table(items: ItemSummary, before: Profile) -> pd.DataFrame:
    """Return every category with the number of its items and whether it was there before."""
    names, sizes = list(items.categories), list(items.categories.values())
    return pd.DataFrame(
        {
            "category": pd.Series(names, dtype=object),
            "items": [f"{count} items" for count in sizes],
            "count": np.array(sizes, np.int64),
            "is_known": pd.Index(names, dtype=object).isin([*before.categories, ""]),
        }
    )


def figures(items: ItemSummary, now: Profile, before: Profile) -> pd.DataFrame:
    """Return the figures of the comparison, one row; NaN where there is nothing to compare.

    Args:
        items: Summary of the items.
        now: Their profile.
        before: That of the data accepted before.
    """
    by_category = category_table(items, before)
    new = by_category.loc[~by_category["is_known"], "count"].sum()
    texts = min(sum(now.languages.values()), sum(before.languages.values()))
    again = known_words_frac(Counter(items.words), before.words)
    had_words = len(before.words) > 0
    return one_row(
        items_kept=_kept(now.item_ids, before.item_ids),
        new_category=new / items.rows if any(before.categories) and items.rows else np.nan,
        price_ratio=now.price / before.price if before.price > 0 else np.nan,
        language_shift=distance(now.languages, before.languages)
        if texts >= _FEWEST_TEXTS
        else np.nan,
        new_words=before.known_words - again if had_words else np.nan,
        click_through_ratio=(
            now.click_through / before.click_through if before.click_through > 0 else np.nan
        ),
    )


def _sketch(ids: pd.Series, kept: KeptFacts) -> list[str]:
    """Return the smallest hashes of ids, ascending, in hexadecimal."""
    table = pa.table({"item_id": pa.array(ids, pa.string())})
    stands, found, _ = kept.standing("item_ids", table)
    known = [found["hash"].to_numpy()] if stands else []
    texts = table["item_id"].slice(stands).to_pylist()
    hashed = b"".join(blake2b(text.encode(), digest_size=8).digest() for text in texts)
    numbers = np.concatenate([*known, np.frombuffer(hashed, ">u8").astype(np.uint64)])
    kept.keep("item_ids", table, pa.table({"hash": numbers}))
    if len(numbers) > _SKETCH:
        numbers = np.partition(numbers, _SKETCH)[:_SKETCH]
    return [f"{number:016x}" for number in np.sort(numbers).tolist()]


def _kept(now: list[str], before: list[str]) -> float:
    """Return the share of the earlier ids that are still there, estimated from the sketches."""
    if not before:
        return np.nan
    # A sketch holds every id below its largest hash; above that of the other one nothing is known.
    limit = now[-1] if len(now) == _SKETCH else "g"
    comparable = [value for value in before if value <= limit]
    return len(set(comparable) & set(now)) / len(comparable) if comparable else np.nan


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
