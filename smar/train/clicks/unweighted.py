"""Engagements as they fell."""

from collections.abc import Callable

import pandas as pd

from smar.params.section import Section
from smar.train.clicks._actions import PAIR, worth


class Params(Section):
    """This kind has none."""


def values(
    engagements: pd.DataFrame, searches: Callable[[], pd.DataFrame], own: Params
) -> pd.Series:
    """Return the sum of what a pair's engagements are worth (Target, 2609.31498).

    What stands high is looked at more often, and counts for more. A training draws items evenly, so
    that this touches only which of an item's queries it is trained with.

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
        {('q', 'a'): 4.0}

    Args:
        engagements: Table as `schema.ENGAGEMENTS`.
        searches: Not used.
        own: Not used.
    """
    del searches, own
    return engagements.assign(value=worth(engagements)).groupby(PAIR)["value"].sum()
