"""What the search table promises."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.data import row_rules
from smar.params import LogRules
from smar.validation.contract import (
    QUARANTINE,
    STOP,
    WARN,
    Contract,
    Rule,
    between,
    holds,
    promised,
    promises,
)
from smar.validation.items import one_row

_DAY = 86_400_000_000  # microseconds
_SAMPLE = 20_000


def rows(params: LogRules) -> Contract:
    """Return what every search promises."""
    rules = [
        *promised(row_rules.SEARCHES),
        Rule("id_unique", QUARANTINE, "each id once", holds("id_is_new"), "search_id"),
        Rule("query_known", QUARANTINE, "a query of the accepted query table",
             holds("knows_query"), "query_id"),
        Rule("time_near", QUARANTINE,
             f"a time at most {params.max_span_days} days from the middle of the log",
             between("days_from_middle", most=params.max_span_days), "timestamp"),
        Rule("not_a_bot", QUARANTINE,
             f"a client with at most {params.max_searches_per_client_day} searches on the day",
             between("by_client_that_day", most=params.max_searches_per_client_day), "client_id"),
        Rule("logged_once", QUARANTINE, "no second search of the client for the query at the time",
             holds("is_logged_once"), "timestamp"),
        Rule("shown_length", WARN, f"at most {params.max_shown} items shown",
             between("num_shown", most=params.max_shown)),
    ]  # fmt: skip
    return Contract("searches", "rows", rules, key="search_id")


def whole(params: LogRules, max_quarantined_frac: float) -> Contract:
    """Return what the accepted searches promise together."""
    rules = [
        Rule("quarantined", STOP, f"at most {max_quarantined_frac:.0%} of the rows quarantined",
             between("quarantined", most=max_quarantined_frac)),
        Rule("fresh", WARN,
             f"a newest search at most {params.max_age_days} days before "
             f"{params.as_of or 'validate.log.as_of (not set)'}, and not after it",
             between("age_days", 0, params.max_age_days)),
        Rule("shown_known", WARN,
             f"items of the item table for {params.min_shown_known_frac:.0%} of what was shown",
             between("shown_known", params.min_shown_known_frac)),
        Rule("with_results", WARN,
             f"no result for at most {params.max_zero_result_frac:.0%} of the searches",
             between("zero_results", most=params.max_zero_result_frac)),
        Rule("clients_told", WARN,
             f"a client for {params.min_client_frac:.0%} of the searches or more",
             between("with_client", params.min_client_frac)),
    ]  # fmt: skip
    return Contract("searches", "whole", rules)


def days(params: LogRules) -> Contract:
    """Return what every day of the log promises, the first and the last aside."""
    rules = [
        Rule("no_gap", WARN,
             f"at least {params.min_day_frac:.0%} of the searches of a usual day",
             between("of_usual_day", params.min_day_frac), "searches"),
        Rule("no_peak", WARN,
             f"at most {params.max_day_ratio:g} times the searches of a usual day",
             between("of_usual_day", most=params.max_day_ratio), "searches"),
    ]  # fmt: skip
    return Contract("searches", "days", rules, key="day")


def prepare(table: pa.Table, query_ids: pd.Series) -> pd.DataFrame:
    """Return the searches with the columns that the rules need; `shown` as its length."""
    shown = table["shown"]
    frame: pd.DataFrame = table.drop_columns(["shown"]).to_pandas()
    frame["num_shown"] = pc.list_value_length(shown).to_numpy()
    timed = frame["timestamp"].notna().to_numpy(bool)
    time = frame["timestamp"].astype("int64").to_numpy()  # of no meaning where none is told
    frame = frame.assign(**promises(frame, row_rules.SEARCHES, {}))
    frame["id_is_new"] = ~frame["search_id"].duplicated()
    known = pc.is_in(table["query_id"], value_set=pa.array(query_ids, pa.string()))
    frame["knows_query"] = known.to_numpy()
    middle = np.median(time[timed]) if timed.any() else 0
    frame["days_from_middle"] = np.where(timed, np.abs(time - middle) / _DAY, np.nan)
    client = _codes(table["client_id"])
    told = (frame["client_id"] != "").to_numpy(bool)
    by_day = pd.Series(client.astype(np.int64) * 1_000_000 + time // _DAY % 1_000_000)
    frame["by_client_that_day"] = np.where(told & timed, by_day.map(by_day.value_counts()), 0)
    key = pd.DataFrame({"client": client, "query": _codes(table["query_id"]), "time": time})
    frame["is_logged_once"] = ~(key.duplicated().to_numpy() & told & timed)
    return frame


def day_table(timestamps: pd.Series) -> pd.DataFrame:
    """Return the searches of every day between the first and the last one, which are partial."""
    days_of = timestamps.dropna().astype("int64").to_numpy() // _DAY
    if len(days_of) == 0:
        return pd.DataFrame({"day": [], "searches": [], "of_usual_day": []}, dtype=float)
    first = int(days_of.min())
    counts = np.bincount(days_of - first)[1:-1]
    usual = np.median(counts) if len(counts) else 1.0
    names = pd.to_datetime(np.arange(len(counts)) + first + 1, unit="D").strftime("%Y-%m-%d")
    return pd.DataFrame(
        {"day": names, "searches": counts, "of_usual_day": counts / max(1.0, float(usual))}
    )


def figures(
    table: pa.Table,
    frame: pd.DataFrame,
    kept: NDArray[np.bool_],
    item_ids: pd.Series,
    as_of: pd.Timestamp | None,
) -> pd.DataFrame:
    """Return the figures of the accepted searches, one row; NaN where there is nothing to judge."""
    searches = frame[kept]
    age = np.nan
    if as_of is not None and len(searches):
        age = (as_of - searches["timestamp"].max()).total_seconds() / 86_400
    has_shown = (searches["num_shown"] > 0).any()
    return one_row(
        rows=len(searches),
        quarantined=float(1 - kept.mean()) if len(kept) else 0.0,
        age_days=age,
        shown_known=_shown_known(table["shown"], kept, item_ids),
        zero_results=(searches["num_shown"] == 0).mean() if has_shown else np.nan,
        with_client=(searches["client_id"] != "").mean(),
    )


def _shown_known(shown: pa.ChunkedArray, kept: NDArray[np.bool_], item_ids: pd.Series) -> float:
    """Return the share of the items shown that are known, over an even sample of searches."""
    rows_kept = np.flatnonzero(kept)
    chosen = rows_kept[:: max(1, -(-len(rows_kept) // _SAMPLE))]
    flat = pc.list_flatten(shown.take(pa.array(chosen))).drop_null()
    if len(flat) == 0:
        return np.nan
    known = pc.is_in(flat, value_set=pa.array(item_ids, pa.string()))
    return float(pc.mean(known.cast(pa.float64())).as_py())


def _codes(values: pa.ChunkedArray) -> NDArray[np.int32]:
    """Return a number for every distinct text."""
    encoded = values.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return np.asarray(encoded.indices, np.int32)
