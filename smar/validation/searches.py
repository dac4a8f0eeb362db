"""What the search table promises."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.data import row_rules
from smar.data.arrow_content import digest_of
from smar.data.lookup import is_among
from smar.data.membership import in_one_piece
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
from smar.validation.items import one_row, those_left
from smar.validation.kept_facts import KeptFacts

_DAY = 86_400_000_000  # microseconds
_SAMPLE = 20_000  # searches at most of which the items shown are looked for
_SHOWN = "shown_sample"


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


def prepare(
    table: pa.Table, knows_query: NDArray[np.bool_], kept: KeptFacts | None = None
) -> pd.DataFrame:
    """Return what the rules need of the searches; `shown` as its length.

    Args:
        table: The searches, [R].
        knows_query: Which of them are of accepted queries, [R].
        kept: Facts that an earlier run found.
    """
    frame: pd.DataFrame = table.select(["client_id", "timestamp"]).to_pandas()
    found = _facts(table) if kept is None else _facts_beside(table, kept)
    frame = frame.assign(**{name: found[name].to_numpy() for name in found.column_names})
    timed = frame["timestamp"].notna().to_numpy(bool)
    time = frame["timestamp"].astype("int64").to_numpy()  # of no meaning where none is told
    frame["num_shown"] = frame["num_shown"].astype("int64")  # others are judged one by one
    frame["knows_query"] = knows_query
    middle = np.median(time[timed]) if timed.any() else 0
    frame["days_from_middle"] = np.where(timed, np.abs(time - middle) / _DAY, np.nan)
    return frame


def _facts(table: pa.Table) -> pa.Table:
    """Return what searches say of themselves and of each other."""
    ids: pd.DataFrame = table.select(["search_id", "client_id"]).to_pandas()
    timed, time = table["timestamp"].is_valid().to_numpy(), _time(table)
    client = _codes(table["client_id"])
    told = (ids["client_id"] != "").to_numpy(bool)
    key = pd.DataFrame({"client": client, "query": _codes(table["query_id"]), "time": time})
    claims = promises(ids, row_rules.SEARCHES, {})
    return pa.table(
        {
            **{name: claim.to_numpy() for name, claim in claims.items()},
            "num_shown": pc.list_value_length(table["shown"]),
            "id_is_new": ~ids["search_id"].duplicated().to_numpy(),
            "by_client_that_day": _by_client(client, time, told & timed),
            "is_logged_once": ~(key.duplicated().to_numpy() & told & timed),
        }
    )


def _time(table: pa.Table) -> NDArray[np.int64]:
    """Return the time of each row in microseconds, the least number where none is told."""
    least = int(np.iinfo(np.int64).min)
    times: NDArray[np.int64] = pc.fill_null(table["timestamp"].cast(pa.int64()), least).to_numpy()
    return times


def _by_client(
    client: NDArray[np.int32], time: NDArray[np.int64], is_told: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return how many searches each one's client has on its day, 0 where either is not told."""
    by_day = pd.Series(client.astype(np.int64) * 1_000_000 + time // _DAY % 1_000_000)
    return np.where(is_told, by_day.map(by_day.value_counts()), 0)


def _facts_beside(table: pa.Table, kept: KeptFacts) -> pa.Table:
    """Return `_facts`, found of rows that are new and of those that they meet."""
    stands, found, is_all = kept.standing("searches", table)
    if stands == 0:
        found = _facts(table)
    elif stands < len(table) or not is_all:
        found = _facts_grown(table, stands, found)
        if not is_all:  # of clients whose searches went
            found = _counted_anew(table, found)
    kept.keep("searches", table, found)
    return found


def _counted_anew(table: pa.Table, found: pa.Table) -> pa.Table:
    """Return `_facts` with the searches of each client counted among all rows."""
    is_told = pc.and_(pc.not_equal(table["client_id"], ""), table["timestamp"].is_valid())
    counts = _by_client(_codes(table["client_id"]), _time(table), is_told.to_numpy())
    place = found.column_names.index("by_client_that_day")
    return found.set_column(place, "by_client_that_day", pa.array(counts))


def _facts_grown(table: pa.Table, stands: int, before: pa.Table) -> pa.Table:
    """Return `_facts` of a table whose first rows are known.

    A row that comes later changes of an earlier one how many its client has on the day, no more.
    """
    old, new = table.slice(0, stands), table.slice(stands)
    day, days = _time(old) // _DAY, np.unique(_time(new) // _DAY)
    of_client = pc.is_in(old["client_id"], value_set=in_one_piece(new["client_id"])).to_numpy()
    that_day = np.flatnonzero(of_client & np.isin(day, days))
    of_id = pc.is_in(old["search_id"], value_set=in_one_piece(new["search_id"])).to_numpy()
    met = np.union1d(that_day, np.flatnonzero(of_id))
    found = _facts(pa.concat_tables([old.take(pa.array(met)), new]))
    both = {
        name: np.concatenate([before[name].to_numpy(), found[name].to_numpy()[len(met) :]])
        for name in found.column_names
    }
    counts = found["by_client_that_day"].to_numpy()[np.searchsorted(met, that_day)]
    both["by_client_that_day"][that_day] = counts
    return pa.table(both)


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
    item_ids: pa.Array,
    as_of: pd.Timestamp | None,
    facts: KeptFacts | None = None,
) -> pd.DataFrame:
    """Return the figures of the accepted searches, one row; NaN where there is nothing to judge.

    Args:
        table: The searches.
        frame: The same, as `prepare` gives them.
        kept: Which of them are accepted.
        item_ids: Ids of the accepted items.
        as_of: The moment that freshness is measured from, None not to measure it.
        facts: Where a sample of what was shown is that an earlier run took.
    """
    searches = those_left(frame, kept)
    age = np.nan
    if as_of is not None and len(searches):
        age = (as_of - searches["timestamp"].max()).total_seconds() / 86_400
    has_shown = (searches["num_shown"] > 0).any()
    return one_row(
        rows=len(searches),
        quarantined=float(1 - kept.mean()) if len(kept) else 0.0,
        age_days=age,
        shown_known=_shown_known(table, kept, item_ids, KeptFacts() if facts is None else facts),
        zero_results=(searches["num_shown"] == 0).mean() if has_shown else np.nan,
        with_client=(searches["client_id"] != "").mean(),
    )


def _shown_known(
    table: pa.Table, kept: NDArray[np.bool_], item_ids: pa.Array, facts: KeptFacts
) -> float:
    """Return the share of the items shown that are known, over an even sample of searches."""
    before = facts.of_files(_SHOWN, ["searches"]) if kept.all() else None
    if before is None:
        rows_kept = np.flatnonzero(kept)
        # By steps of a power of two, so that of a log that grows mostly the same are drawn.
        step = 1 << ((len(rows_kept) - 1) // _SAMPLE).bit_length()
        flat = pc.list_flatten(table["shown"].take(pa.array(rows_kept[::step]))).drop_null()
    else:
        flat = before["item_id"]
    if len(flat) == 0:
        return np.nan
    told = digest_of(item_ids)
    known = _known(in_one_piece(flat), item_ids, facts.of_all(_SHOWN), facts.told(_SHOWN) == told)
    if kept.all():
        sample = pa.table({"item_id": flat, "is_known": known})
        facts.keep_of_files(_SHOWN, sample, ["searches"], told=told)
    return float(known.mean())


def _known(
    shown: pa.Array, item_ids: pa.Array, before: pa.Table, is_of_items: bool
) -> NDArray[np.bool_]:
    """Return which of the items shown, [n], are known; the first as an earlier run found them.

    Args:
        shown: Ids of the items shown.
        item_ids: Those that are known.
        before: Items shown in an earlier run, and whether they were known.
        is_of_items: Whether the same were known then.
    """
    most = min(len(before), len(shown)) if is_of_items else 0
    same = pc.equal(before["item_id"][:most], shown[:most]).to_numpy() if most else np.ones(0, bool)
    stands = most if same.all() else int(np.argmin(same))
    earlier = before["is_known"][:stands].to_numpy() if stands else np.ones(0, bool)
    return np.append(earlier, is_among(shown[stands:], item_ids).to_numpy(False))


def _codes(values: pa.ChunkedArray) -> NDArray[np.int32]:
    """Return a number for every distinct text."""
    return np.asarray(in_one_piece(values).dictionary_encode().indices, np.int32)
