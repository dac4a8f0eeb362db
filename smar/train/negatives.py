"""Hard negatives: items that were shown and not engaged, or that a model ranks high and wrongly.

Shapes: Q queries of a step, B items of a step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class HardPool:
    """For each query the items that may join a step against it.

    Args:
        items: 1 where an item is a hard negative of a query, [queries, items].
        per_step: How many of them join a step.
    """

    items: csr_matrix
    per_step: int

    def draw(self, queries: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return up to `per_step` distinct items, one of each of some of a step's queries."""
        order = rng.permutation(queries)
        place = rng.random(len(order))
        starts, ends = self.items.indptr[order], self.items.indptr[order + 1]
        chosen = (starts + place * (ends - starts)).astype(np.int64)[ends > starts]
        found = self.items.indices[chosen].astype(np.int64)
        _, first = np.unique(found, return_index=True)
        return found[np.sort(first)][: self.per_step]


def hard_items(
    pools: Sequence[HardPool],
    queries: NDArray[np.int64],
    items: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return items of all pools that join a step, each once and none that it holds already."""
    drawn = [pool.draw(queries, rng) for pool in pools]
    return np.setdiff1d(np.concatenate([*drawn, np.empty(0, np.int64)]), items)


def impressions(searches: pd.DataFrame, engagements: pd.DataFrame) -> pd.DataFrame:
    """Return the (query_id, item_id) pairs that were seen and never engaged, once each.

    Seen is what a search listed down to its last engagement (of unknown position: all it listed).
    A search without engagement tells nothing: nobody may have looked. What was engaged in any
    search of the query is no negative of it.

    Args:
        searches: Table as `schema.SEARCHES`.
        engagements: Table as `schema.ENGAGEMENTS`.
    """
    position = engagements["position"].astype("Float64").fillna(np.inf).astype("float64")
    last = position.groupby(engagements["search_id"]).max()
    active = searches[searches["search_id"].isin(last.index)]
    listed = active[["search_id", "query_id", "shown"]].explode("shown")
    rank = listed.groupby("search_id").cumcount() + 1
    seen = listed[(rank <= listed["search_id"].map(last)) & listed["shown"].notna()]
    pairs = seen[["query_id", "shown"]].rename(columns={"shown": "item_id"}).drop_duplicates()
    engaged = pd.MultiIndex.from_frame(engagements[["query_id", "item_id"]])
    left = ~pd.MultiIndex.from_frame(pairs).isin(engaged)
    return pairs[left].reset_index(drop=True)
