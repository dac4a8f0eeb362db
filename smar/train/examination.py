"""How likely a place of a result list is looked at, and how attractive what was shown there is.

Shapes: P pairs of a query and an item, K places, G levels of attraction.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import logsumexp

_LEVELS = 16
_PLACES = 50  # what was shown further down counts as the last of them
_ROUNDS = 500
_SETTLED = 1e-7  # of the log-likelihood of an impression
_NEVER = 1e-9


@dataclass(frozen=True)
class Impressions:
    """What was shown where, and what of it was engaged.

    Args:
        pairs: Distinct (query_id, item_id), [P].
        engaged: Searches that engaged the pair's item, by the place it was shown at, [P, K].
        passed: Searches that showed it and did not engage it, [P, K].
    """

    pairs: pd.MultiIndex
    engaged: csr_matrix
    passed: csr_matrix

    @classmethod
    def of(cls, searches: pd.DataFrame, engagements: pd.DataFrame) -> Self:
        """Return the impressions of a log.

        A search that lists an item twice showed it at the first of the places. What was engaged
        without having been listed was not seen here: it tells nothing about places.

        Args:
            searches: Table as `schema.SEARCHES`.
            engagements: Table as `schema.ENGAGEMENTS`.
        """
        listed = searches[["search_id", "query_id", "shown"]].explode("shown")
        listed["place"] = np.minimum(listed.groupby("search_id").cumcount(), _PLACES - 1)
        listed = listed.dropna(subset=["shown"]).rename(columns={"shown": "item_id"})
        listed = listed.drop_duplicates(["search_id", "item_id"])
        names = ["search_id", "item_id"]
        done = pd.MultiIndex.from_frame(engagements[names].astype(str))
        is_engaged = pd.MultiIndex.from_frame(listed[names].astype(str)).isin(done)
        both = pd.MultiIndex.from_frame(listed[["query_id", "item_id"]].astype(str))
        row = both.factorize()[0]
        pairs = both[~both.duplicated()]
        place = listed["place"].to_numpy(np.int64)
        shape = (len(pairs), int(place.max(initial=-1)) + 1)

        def counted(which: NDArray[np.bool_]) -> csr_matrix:
            return csr_matrix((np.ones(int(which.sum())), (row[which], place[which])), shape)

        return cls(pairs, counted(is_engaged), counted(~is_engaged))

    @property
    def num_places(self) -> int:
        """K."""
        return int(self.engaged.shape[1])

    def distinct(self) -> tuple[Self, NDArray[np.int64]]:
        """Return the pairs with a history that no pair before has, and how many have each.

        Most pairs were shown once and passed: their histories are as many as there are places.
        """
        rng = np.random.default_rng(0)
        codes = rng.integers(2**62, size=(2, self.num_places))
        code = self.engaged.astype(np.int64) @ codes[0] + self.passed.astype(np.int64) @ codes[1]
        _, first, counts = np.unique(code, return_index=True, return_counts=True)
        kept = type(self)(self.pairs[first], self.engaged[first], self.passed[first])
        return kept, counts.astype(np.int64)


@dataclass(frozen=True)
class Examination:
    """A model of engagement by place: `P(engaged) = a p_k + (1 - a) q_k`.

    a is the attraction of the item for the query. With q = 0 this is the position-based model
    (Richardson et al., 2007): p_k is the chance that place k is looked at. With q > 0 shoppers also
    engage, because of its place, what does not attract them (trust bias: Agarwal et al., WWW 2019).

    Args:
        seen: p, in (0, 1], [K]; the first is 1, for only the ratios can be known.
        misled: q, in [0, p], [K].
        levels: Attractions that a pair can have, ascending from 0 to 1, [G].
        shares: How common each is, sums to 1, [G].
        loss: Mean negative log-likelihood of an impression.
    """

    seen: NDArray[np.float64]
    misled: NDArray[np.float64]
    levels: NDArray[np.float64]
    shares: NDArray[np.float64]
    loss: float

    def chances(self) -> NDArray[np.float64]:
        """Return the chance of an engagement by place and level, [K, G]."""
        chance = np.outer(self.seen, self.levels) + np.outer(self.misled, 1 - self.levels)
        return np.clip(chance, _NEVER, 1 - _NEVER)

    def attraction(self, impressions: Impressions) -> NDArray[np.float64]:
        """Return the mean attraction of each pair given all that is known of it, [P]."""
        return np.asarray(self.likely(impressions)[0] @ self.levels)

    def likely(self, impressions: Impressions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the chance of each level for each pair, [P, G], and its log-likelihood, [P]."""
        chance = self.chances()
        table = impressions.engaged @ np.log(chance) + impressions.passed @ np.log1p(-chance)
        table += np.log(np.maximum(self.shares, _NEVER))
        whole = logsumexp(table, axis=1, keepdims=True)
        return np.exp(table - whole), whole[:, 0]


def estimate(impressions: Impressions, *, trust: bool = False) -> Examination:
    """Return the model under which the log is most likely, by expectation-maximisation.

    A pair is shown too few times for its attraction to be estimated by itself: with as many numbers
    as pairs the places come out wrong however long the log is. So the attraction is drawn from a
    distribution over levels that is estimated too, and summed over (Kiefer and Wolfowitz, 1956).

    Example:
        >>> searches = pd.DataFrame({"search_id": ["s"], "query_id": ["q"], "shown": [["a", "b"]]})
        >>> done = pd.DataFrame({"search_id": ["s"], "item_id": ["a"]})
        >>> estimate(Impressions.of(searches, done)).seen[0]
        1.0

    Args:
        impressions: What was shown; of at least one search.
        trust: Whether places may mislead; without, q is 0.

    Raises:
        ValueError: If nothing was shown or nothing of it engaged.
    """
    if not impressions.engaged.nnz:
        raise ValueError("nothing that was shown has been engaged")
    total = float(impressions.engaged.sum() + impressions.passed.sum())
    places = impressions.num_places
    model = Examination(
        seen=1 / np.sqrt(np.arange(1, places + 1)),
        misled=np.full(places, 0.01 if trust else 0.0),
        levels=np.linspace(0, 1, _LEVELS) ** 2,
        shares=np.full(_LEVELS, 1 / _LEVELS),
        loss=np.inf,
    )
    histories, counts = impressions.distinct()
    for _ in range(_ROUNDS):
        before = model.loss
        model = _better(model, histories, counts / total)
        if before - model.loss < _SETTLED:
            break
    return model


def _better(
    model: Examination, histories: Impressions, weights: NDArray[np.float64]
) -> Examination:
    """Return the model after one round; its loss is that of the one before.

    Args:
        model: The model.
        histories: Distinct histories.
        weights: How many pairs have each, over the number of impressions.
    """
    likely, log_likelihood = model.likely(histories)
    weighted = likely * weights[:, None]
    engaged, passed = histories.engaged.T @ weighted, histories.passed.T @ weighted  # [K, G]
    chance = model.chances()
    # Of what was engaged (passed), the part where the item did attract.
    held = engaged * np.outer(model.seen, model.levels) / chance
    missed = passed * np.outer(1 - model.seen, model.levels) / (1 - chance)
    seen = _ratio(held.sum(1), missed.sum(1), model.seen)
    seen[0] = 1.0
    misled = model.misled
    if misled.any():
        by_place = (engaged - held).sum(1)
        misled = np.minimum(_ratio(by_place, (passed - missed).sum(1), misled), seen)
    shares = weighted.sum(0) / weights.sum()
    return Examination(seen, misled, model.levels, shares, loss=-float(weights @ log_likelihood))


def _ratio(
    yes: NDArray[np.float64], no: NDArray[np.float64], old: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return yes / (yes + no), the old value where a place tells nothing."""
    both = yes + no
    return np.where(both > 0, yes / np.where(both > 0, both, 1), old)
