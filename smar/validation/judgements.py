"""What the judgement table promises."""

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from smar.data import row_rules
from smar.data.lookup import those_of
from smar.data.membership import in_one_piece, is_in
from smar.params import JudgementRules
from smar.validation.contract import (
    QUARANTINE,
    STOP,
    WARN,
    Contract,
    Rule,
    between,
    promised,
    promises,
)
from smar.validation.items import one_row


def rows(params: JudgementRules) -> Contract:
    """Return what every judgement promises."""
    rules = [
        *promised(row_rules.JUDGEMENTS),
        Rule("grade_range", QUARANTINE, f"a grade from 0 to {params.max_grade}",
             between("grade", 0, params.max_grade)),
    ]  # fmt: skip
    return Contract("judgements", "rows", rules, key="query_id")


def whole(params: JudgementRules, max_quarantined_frac: float) -> Contract:
    """Return what the accepted judgements promise together."""
    rules = [
        Rule("quarantined", STOP, f"at most {max_quarantined_frac:.0%} of the rows quarantined",
             between("quarantined", most=max_quarantined_frac)),
        Rule("queries_judged", WARN,
             f"a judgement for {params.min_judged_frac:.0%} of the test queries or more",
             between("judged", params.min_judged_frac)),
        Rule("queries_answered", WARN,
             f"a grade above 0 for {params.min_judged_frac:.0%} of the test queries or more",
             between("answered", params.min_judged_frac)),
        Rule("pairs_per_item", WARN,
             f"at most {params.max_item_frac:.0%} of the judgements about one item",
             between("commonest_item", most=params.max_item_frac)),
    ]  # fmt: skip
    return Contract("judgements", "whole", rules)


def prepare(table: pa.Table, test_ids: pd.Series, item_ids: pd.Series) -> pd.DataFrame:
    """Return the judgements with the columns that the rules need."""
    frame: pd.DataFrame = table.to_pandas()
    items = those_of(pa.array(item_ids, pa.string()), in_one_piece(table["item_id"]))
    known: row_rules.Known = {"query_id": test_ids, "item_id": items.to_pandas()}
    return frame.assign(**promises(frame, row_rules.JUDGEMENTS, known))


def figures(frame: pd.DataFrame, kept: NDArray[np.bool_], test_ids: pd.Series) -> pd.DataFrame:
    """Return the figures of the accepted judgements, one row; NaN where nothing can be judged."""
    judgements = frame[kept]
    answered = judgements.loc[judgements["grade"] > 0, "query_id"]
    shares = judgements["item_id"].value_counts(normalize=True)
    return one_row(
        rows=len(judgements),
        quarantined=float(1 - kept.mean()) if len(kept) else 0.0,
        judged=is_in(test_ids, judgements["query_id"]).mean(),
        answered=is_in(test_ids, answered).mean(),
        commonest_item=shares.max() if len(judgements) >= 50 else np.nan,
    )
