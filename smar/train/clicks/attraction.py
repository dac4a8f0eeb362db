"""How attractive the item is for the query, given all that was shown, engaged and passed."""

from collections.abc import Callable

import pandas as pd

from smar.params.section import Section
from smar.train.clicks._actions import examined, times_worth


class Params(Section):
    """Parameters of this kind."""

    trust: bool = False
    """Whether places may mislead: shoppers engage what stands high without being attracted."""


def values(
    engagements: pd.DataFrame, searches: Callable[[], pd.DataFrame], own: Params
) -> pd.Series:
    """Return a pair's mean attraction times the mean worth of its engagements.

    One click in thirty showings is chance, two in three are not; how often a pair was shown counts
    for nothing else. The attraction is the posterior mean of the click model
    (`smar/train/examination.py`). A pair that no search had shown has the mean of the others.

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
        own: How the click model is estimated.

    Raises:
        DataError: If the log does not say what was shown.
    """
    impressions, model = examined(engagements, searches, "attraction", trust=own.trust)
    of_pair = pd.Series(model.attraction(impressions), index=impressions.pairs)
    return times_worth(of_pair, engagements)
