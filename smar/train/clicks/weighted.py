"""Engagements weigh the more, the less their place is looked at (inverse propensity)."""

from collections.abc import Callable
from typing import Annotated

import pandas as pd
from pydantic import Field

from smar.params.section import Section
from smar.train.clicks._actions import PAIR, chance_seen, examined, worth


class Params(Section):
    """Parameters of this kind."""

    least: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Smallest chance of having been looked at that is divided by; 1 counts as they fell."""
    trust: bool = False
    """Whether places may mislead: shoppers engage what stands high without being attracted."""


def values(
    engagements: pd.DataFrame, searches: Callable[[], pd.DataFrame], own: Params
) -> pd.Series:
    """Return the sum of `worth / max(p_k, least)` over a pair's engagements at places k.

    Inverse propensity scoring (Joachims, Swaminathan and Schnabel, WSDM 2017), clipped; p is
    estimated from the same log (`smar/train/examination.py`).

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
        {('q', 'a'): 6.24}

    Args:
        engagements: Table as `schema.ENGAGEMENTS`.
        searches: Returns the searches.
        own: How p is estimated and clipped.

    Raises:
        DataError: If the log does not say what was shown.
    """
    model = examined(engagements, searches, "weighted", trust=own.trust)[1]
    value = worth(engagements) / chance_seen(engagements, model, own.least)
    return engagements.assign(value=value).groupby(PAIR)["value"].sum()
