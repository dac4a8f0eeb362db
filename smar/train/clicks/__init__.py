"""How much the engagements of a log say of a query and an item: a file for each kind.

A kind is a function `values(engagements, searches, own) -> pd.Series`: by query_id and item_id what
each engaged pair is worth, in any unit, above 0.
"""

from collections.abc import Callable

import pandas as pd

from smar.params import ClicksParams
from smar.params.kinds import CLICKS

_TOP_GRADE = 4.0


def grade_engagements(
    engagements: pd.DataFrame, searches: Callable[[], pd.DataFrame], clicks: ClicksParams
) -> pd.DataFrame:
    """Return one grade per engaged (query_id, item_id), in (0, 4].

    `4 v / max over the query's items of v` of a pair's value v (Target, 2609.31498).

    Args:
        engagements: Table as `schema.ENGAGEMENTS`.
        searches: Returns the searches (`schema.SEARCHES`), for kinds that ask what was shown.
        clicks: The section `clicks`.

    Raises:
        DataError: If the kind needs what the log does not have.
    """
    value: pd.Series = CLICKS[clicks.kind].load().values(engagements, searches, clicks.own)
    grade = _TOP_GRADE * value / value.groupby(level="query_id").transform("max")
    return grade.rename("grade").reset_index()
