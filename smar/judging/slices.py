"""Parts of a query set that are reported on their own."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.data.categories import is_visual
from smar.judging.runs import QuerySet


def slices_of(
    queries: QuerySet,
    category: pd.Series,
    visual_categories: list[str],
    traffic: pd.Series,
    trained: set[str],
) -> dict[str, NDArray[np.bool_]]:
    """Return the named slices of a query set, as masks [Q]; they overlap between pairs of names.

    - visual / non_visual: whether more than half of the relevant items lie in a visual category.
    - head / torso / tail: the most searched texts that together make up the first third of the
      log's searches, the next third, and the rest (with what was never searched).
    - seen / unseen: whether the text was among the training queries.

    Args:
        queries: The query set.
        category: Category of every item, [N].
        visual_categories: Category prefixes.
        traffic: Searches of every distinct text in the log.
        trained: Texts of the training queries.
    """
    relevant = queries.relevant
    of_visual = relevant @ is_visual(category, visual_categories).astype(np.float64)
    visual = of_visual > 0.5 * np.asarray(relevant.sum(1)).ravel()
    ordered = np.sort(traffic.to_numpy())[::-1]
    before = (np.cumsum(ordered) - ordered) / max(1, ordered.sum())
    head_from = ordered[before < 1 / 3].min(initial=np.iinfo(np.int64).max)
    torso_from = ordered[before < 2 / 3].min(initial=np.iinfo(np.int64).max)
    searched = queries.num_searches
    logged = searched > 0
    head, torso = logged & (searched >= head_from), logged & (searched >= torso_from)
    seen = np.array([text in trained for text in queries.texts], dtype=bool)
    return {
        "visual": visual,
        "non_visual": ~visual,
        "head": head,
        "torso": torso & ~head,
        "tail": ~torso,
        "seen": seen,
        "unseen": ~seen,
    }
