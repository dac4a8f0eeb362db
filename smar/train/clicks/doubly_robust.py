"""Attraction as the click model has it, corrected by what its places do not explain."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from smar.params.section import Section
from smar.train.clicks._actions import examined, times_worth

_LEAST_VALUE = 0.01  # a pair that was engaged stays one


class Params(Section):
    """Parameters of this kind."""

    least: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Smallest chance of having been looked at that is divided by."""
    trust: bool = False
    """Whether places may mislead: shoppers engage what stands high without being attracted."""


def values(
    engagements: pd.DataFrame, searches: Callable[[], pd.DataFrame], own: Params
) -> pd.Series:
    """Return a pair's doubly robust attraction times the mean worth of its engagements.

    `a + mean over its showings of (c - P(engaged at k)) / max(p_k, least)`, where a is the
    posterior mean of the click model and c 1 where the item was engaged (Oosterhuis, TOIS 2023):
    right where either the model or the places are. Values below .01 are .01. A pair that no search
    had shown has the mean of the others.

    Example:
        >>> lists = [["a", "b"], ["b", "a"]] * 20
        >>> searches = pd.DataFrame({"search_id": range(40), "query_id": "q", "shown": lists})
        >>> log = pd.DataFrame(
        ...     {
        ...         "search_id": [0, 2, 4, 1],
        ...         "query_id": "q",
        ...         "item_id": "a",
        ...         "action": "click",
        ...         "position": [1, 1, 1, 2],
        ...     }
        ... )
        >>> values(log, lambda: searches, Params()).round(2).to_dict()
        {('q', 'a'): 0.16}

    Args:
        engagements: Table as `schema.ENGAGEMENTS`.
        searches: Returns the searches.
        own: How the click model is estimated, and places clipped.

    Raises:
        DataError: If the log does not say what was shown.
    """
    impressions, model = examined(engagements, searches, "doubly_robust", trust=own.trust)
    attraction = model.attraction(impressions)
    weight = 1 / np.maximum(model.seen, own.least)
    shown = impressions.engaged + impressions.passed
    expected = attraction * (shown @ (weight * model.seen))
    expected += (1 - attraction) * (shown @ (weight * model.misled))
    surprise = (impressions.engaged @ weight - expected) / np.asarray(shown.sum(1)).ravel()
    of_pair = pd.Series(attraction + surprise, index=impressions.pairs).clip(lower=_LEAST_VALUE)
    return times_worth(of_pair, engagements)
