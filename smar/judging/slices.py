"""Parts of a query set that are reported on their own.

Shapes: Q queries, N items.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.data.categories import is_visual
from smar.data.schema import LOGGED
from smar.data.stems import bag_of_stems
from smar.judging.runs import QuerySet

_SEVERAL = 3
_RARE = 10  # items of a category
_DIGIT = re.compile(r"\d")
_NOT = re.compile(r"\b(?:not|no|non|without)\b[\s-]+\w")
SLICES = ("visual", "non_visual", "head", "torso", "tail", "seen", "unseen")


@dataclass(frozen=True)
class LogFacts:
    """What a search log says about queries and items.

    Args:
        traffic: Searches of every distinct text.
        trained: Bags of stems of the training queries.
        is_cold: True where no training search engaged an item, [N].
    """

    traffic: pd.Series
    trained: set[str]
    is_cold: NDArray[np.bool_]

    @classmethod
    def of(
        cls, queries: pd.DataFrame, engagements: pd.DataFrame, item_ids: Sequence[str]
    ) -> "LogFacts":
        """Return the facts of a project's query and engagement tables, about some items [N]."""
        training = queries[queries["split"] == "train"]
        taught = engagements["query_id"].isin(training["query_id"])
        warm = set(engagements.loc[taught, "item_id"])
        return cls(
            traffic=queries.loc[queries["split"].isin(LOGGED), "num_searches"],
            trained={bag_of_stems(text) for text in training["query"]},
            is_cold=np.array([item_id not in warm for item_id in item_ids], dtype=bool),
        )


def slices_of(
    queries: QuerySet,
    category: pd.Series,
    visual_categories: list[str],
    log: LogFacts,
) -> dict[str, NDArray[np.bool_]]:
    """Return the named slices of a query set, as masks [Q]; they overlap between pairs of names.

    - visual / non_visual: whether more than half of the relevant items lie in a visual category.
    - head / torso / tail: the most searched texts that together make up the first third of the
      log's searches, the next third, and the rest (with what was never searched).
    - seen / unseen: whether a training query had the same bag of stems.
    - cold: at least half of the relevant items were never engaged with in a search that is trained
      on.
    - new_words: a word whose stem no training query has, misspelled ones among them.
    - new_combination: all words are known to training queries, and no one of those has all of them.
    - several_wishes: three different words or more ("blue checked shirt").
    - numbers: a digit, as in sizes and model numbers.
    - rare_type: more than half of the relevant items are of a category with ten items or fewer.
    - negated: "not", "no", "non" or "without" beside other words.

    Args:
        queries: The query set.
        category: Category of every item, [N].
        visual_categories: Category prefixes.
        log: What the log says.
    """
    relevant = queries.relevant
    half = 0.5 * np.asarray(relevant.sum(1)).ravel()
    visual = relevant @ is_visual(category, visual_categories).astype(np.float64) > half
    sizes = category[category != ""].value_counts()
    rare = category.isin(sizes.index[sizes <= _RARE]).to_numpy(np.float64)
    cold = relevant @ log.is_cold.astype(np.float64) >= half
    ordered = np.sort(log.traffic.to_numpy())[::-1]
    before = (np.cumsum(ordered) - ordered) / max(1, ordered.sum())
    head_from = ordered[before < 1 / 3].min(initial=np.iinfo(np.int64).max)
    torso_from = ordered[before < 2 / 3].min(initial=np.iinfo(np.int64).max)
    searched = queries.num_searches
    logged = searched > 0
    head, torso = logged & (searched >= head_from), logged & (searched >= torso_from)
    seen = np.array([bag_of_stems(text) in log.trained for text in queries.texts], dtype=bool)
    used = {stem for bag in log.trained for stem in bag.split()}
    bags = [set(bag_of_stems(text).split()) for text in queries.texts]
    new_words = np.array([not bag <= used for bag in bags], dtype=bool)
    return {
        "visual": visual,
        "non_visual": ~visual,
        "head": head,
        "torso": torso & ~head,
        "tail": ~torso,
        "seen": seen,
        "unseen": ~seen,
        "cold": cold,
        "new_words": new_words,
        "new_combination": ~seen & ~new_words,
        "rare_type": relevant @ rare > half,
        "several_wishes": np.array([len(bag) >= _SEVERAL for bag in bags], dtype=bool),
        "numbers": np.array(
            [_DIGIT.search(text) is not None for text in queries.texts], dtype=bool
        ),
        "negated": np.array([_NOT.search(text) is not None for text in queries.texts], dtype=bool),
    }
