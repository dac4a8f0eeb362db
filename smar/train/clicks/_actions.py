"""What kinds share: rare actions count more, and places are looked at unequally."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.data.schema import ACTIONS
from smar.errors import DataError
from smar.train.examination import Examination, Impressions, estimate

PAIR = ["query_id", "item_id"]


def worth(engagements: pd.DataFrame) -> NDArray[np.float64]:
    """Return what each engagement is worth, in (0, 1], [rows].

    A purchase 1, an addition to the cart |P|/|A|, a click |P|/|C| (Target, 2609.31498). Where a
    kind of action never occurs, the rarest that does takes its place.
    """
    totals = engagements["action"].value_counts().reindex(list(ACTIONS), fill_value=0)
    scarcest = totals[totals > 0].min() if len(engagements) else 1.0
    weights = (scarcest / totals.where(totals > 0, np.inf)).clip(upper=1.0)
    return np.asarray(engagements["action"].astype(str).map(weights), np.float64)


def examined(
    engagements: pd.DataFrame, searches: Callable[[], pd.DataFrame], kind: str, *, trust: bool
) -> tuple[Impressions, Examination]:
    """Return what was shown to the shoppers of a log, and how they looked at it.

    Raises:
        DataError: If the log does not say what was shown.
    """
    impressions = Impressions.of(searches(), engagements)
    if not impressions.engaged.nnz:
        raise DataError(
            f"clicks.kind: '{kind}' estimates which places are looked at, and of what was engaged "
            "nothing stands in what a search had shown. Set clicks.kind to unweighted, or give a "
            "log with lists of what was shown (docs/data.md)."
        )
    return impressions, estimate(impressions, trust=trust)


def times_worth(attraction: pd.Series, engagements: pd.DataFrame) -> pd.Series:
    """Return each engaged pair's attraction times the mean worth of its engagements.

    Args:
        attraction: Of every pair that was shown; an engaged one that no search had shown has the
            mean of the others that were engaged.
        engagements: Table as `schema.ENGAGEMENTS`.
    """
    mean = engagements.assign(value=worth(engagements)).groupby(PAIR)["value"].mean()
    of_pair = attraction.reindex(mean.index)
    return mean * of_pair.fillna(of_pair.mean())


def chance_seen(engagements: pd.DataFrame, model: Examination, least: float) -> NDArray[np.float64]:
    """Return the chance that what was engaged was looked at, at least `least`, [rows].

    An engagement whose place the log does not tell counts as one at the first place.
    """
    place = engagements["position"].astype("Float64").fillna(1.0).to_numpy(np.float64)
    row = np.clip(place.astype(np.int64) - 1, 0, len(model.seen) - 1)
    return np.asarray(np.maximum(model.seen[row], least))
