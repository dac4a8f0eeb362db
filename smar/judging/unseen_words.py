"""Queries made of words that no training query used, judged by how they are made.

A log repeats itself: measured on it, vectors look as if they knew every word. Shoppers also ask for
what no one asked for before, a brand that is new or the name of a model.

Shapes: N items.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pandas as pd

from smar.data.schema import normalize_query
from smar.data.stems import bag_of_stems
from smar.judging.runs import QuerySet, build_query_set
from smar.seeding import generator

CHOICE, REPORT = "unseen_choice", "unseen_words"
"""Names of the set that choices may be made by, and of the one that only reports."""

_WORD = re.compile(r"[^\W\d_]{3,}")  # letters of any script
_MOST_RELEVANT = 50  # items of a query; more are found by anything
_MOST_QUERIES = 500  # of each of both sets
_MOST_TYPES = 10  # that one word is asked for with


@dataclass(frozen=True)
class _Asked:
    """A query with the rows of the items that it is about."""

    text: str
    rows: tuple[int, ...]


def unseen_word_sets(
    items: pd.DataFrame, trained: Iterable[str], item_ids: Sequence[str], seed: int
) -> tuple[QuerySet, QuerySet]:
    """Return queries "word + type" of unused words: to choose by, and to report.

    The words are those of titles that no training query used. The type is the last level of an
    item's category; of items without one the word is the query. Relevant are the items of the type
    whose title or brand has the word, whatever its ending; 50 at most, and at least one. A word
    asks for ten of its types at most, and belongs to one of the two sets by its stem, so that what
    is reported did not choose.

    Args:
        items: Item table with item_id, title, brand and category.
        trained: Bags of stems of the training queries (`bag_of_stems`).
        item_ids: Ids of the items that are searched, [N].
        seed: Draws types and, of more than 500 queries for a set, the queries.
    """
    used = {stem for bag in trained for stem in bag.split()}
    table = items.set_index("item_id").loc[list(item_ids)]
    asked = _asked(table, used, generator(seed, "unseen words"))
    first = [one for stem, one in asked if _is_first(stem)]
    others = [one for stem, one in asked if not _is_first(stem)]
    return _query_set(CHOICE, first, item_ids, seed), _query_set(REPORT, others, item_ids, seed)


def _is_first(stem: str) -> bool:
    """Return whether a word is chosen by: the half of all words that its letters put it in."""
    return sha256(stem.encode()).digest()[0] % 2 == 0


def _asked(
    table: pd.DataFrame, used: set[str], rng: np.random.Generator
) -> list[tuple[str, _Asked]]:
    """Return queries after the stem that each is about, in alphabetic order."""
    holders, spellings = _holders(table, used)
    kinds: dict[str, list[str]] = defaultdict(list)
    for stem, kind in sorted(holders):
        if stem in spellings and len(holders[stem, kind]) <= _MOST_RELEVANT:
            kinds[stem].append(kind)
    asked = []
    for stem, found in kinds.items():
        word = min(spellings[stem].items(), key=lambda told: (-told[1], told[0]))[0]
        drawn = rng.permutation(len(found))[:_MOST_TYPES]
        for kind in (found[place] for place in np.sort(drawn)):
            one = _Asked(f"{word} {kind}".strip(), tuple(sorted(holders[stem, kind])))
            asked.append((stem, one))
    return asked


def _holders(
    table: pd.DataFrame, used: set[str]
) -> tuple[dict[tuple[str, str], set[int]], dict[str, Counter[str]]]:
    """Return the items of each unused stem and type, and how titles write each stem."""
    holders: dict[tuple[str, str], set[int]] = defaultdict(set)
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    types = [normalize_query(category.split(" > ")[-1]) for category in table["category"]]
    fields = zip(table["title"], table["brand"], types, strict=True)
    for row, (title, brand, kind) in enumerate(fields):
        of_title = _WORD.findall(normalize_query(title))
        of_type = {bag_of_stems(word) for word in _WORD.findall(kind)}
        for word in of_title:
            spellings[bag_of_stems(word)][word] += 1
        stems = {bag_of_stems(word) for word in (*of_title, *_WORD.findall(normalize_query(brand)))}
        for stem in stems - of_type - used:
            holders[stem, kind].add(row)
    return holders, spellings


def _query_set(name: str, asked: list[_Asked], item_ids: Sequence[str], seed: int) -> QuerySet:
    if len(asked) > _MOST_QUERIES:
        drawn = generator(seed, name).choice(len(asked), _MOST_QUERIES, replace=False)
        asked = [asked[place] for place in np.sort(drawn)]
    ids = [f"{name}-{number:04d}" for number in range(len(asked))]
    queries = pd.DataFrame({"query_id": ids, "query": [one.text for one in asked]})
    labels = pd.DataFrame(
        [(of, item_ids[row]) for of, one in zip(ids, asked, strict=True) for row in one.rows],
        columns=["query_id", "item_id"],
    )
    return build_query_set(
        name, queries.assign(num_searches=0), labels.assign(grade=1), item_ids, 1
    )
