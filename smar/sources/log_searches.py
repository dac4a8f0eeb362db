"""Searches out of a log's records: those of one id merged, those that only events tell made."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.data import row_rules
from smar.data.membership import each_once, is_in
from smar.data.schema import normalize_query
from smar.sources.quarantine import Quarantine
from smar.sources.raw_log import SAID
from smar.sources.split import query_id_of
from smar.sources.times import parse_times

SOURCE = "searches"
RECORD, OWN, OTHERS = range(3)


@dataclass(frozen=True)
class Searches:
    """Searches, one row each.

    Args:
        frame: Columns record_id (the log's), search_id (distinct), client_id, application, query
            (normalised), query_id, time, row; numbered from 0.
        hits: What each one's response listed, as many rows; an empty list for none.
        page_ids: Ids of records without a text: pages of a category or a filter.
        bad_ids: Ids of records that cannot be read.
        teller: What the first row of each is, in the order that searches are in: `RECORD`, or an
            event that says its own text, or one that says the text of others, as many rows, int8.
        depends: As of `times.Times`.
    """

    frame: pd.DataFrame
    hits: pa.Array
    page_ids: pd.Index
    bad_ids: pd.Index
    teller: NDArray[np.int8]
    depends: bool


def find_searches(
    queries: pa.Table, events: pd.DataFrame, dates: str, quarantine: Quarantine, notes: Counter[str]
) -> Searches:
    """Return the searches of a log; records that cannot be read go to the quarantine.

    Records of one id and text are one search: the request says who and when, the response what was
    listed. Another text under the same id is another search ("id#2"). An event whose id has no
    record with a text makes a search of the text that it, or a QUERY message of that id, says.

    Args:
        queries: As `raw_log.QUERIES`.
        events: As `raw_log.EVENTS`, and time.
        dates: As for `times.parse_times`.
        quarantine: Takes bad records.
        notes: Takes counts of what is neither kept as it is nor bad.
    """
    hits = queries["shown"].combine_chunks()
    frame = queries.drop_columns(["shown"]).to_pandas()
    frame["num_hits"] = pc.list_value_length(hits).to_numpy(zero_copy_only=False)
    frame["at"] = np.arange(len(frame))
    readable, depends = _readable(frame, dates, quarantine)
    bad_ids = pd.Index(frame["search_id"].drop(readable.index).unique())
    frame = pd.concat([readable, _told_by_events(readable, events)], ignore_index=True)
    has_text = is_in(frame["search_id"], frame.loc[frame["query"] != "", "search_id"])
    pages = pd.Index(frame.loc[~has_text, "search_id"].unique())
    if len(pages):
        notes["searches without a text (pages of a category or filter)"] += len(pages)
    frame = _responses_joined(frame[has_text])
    groups = _grouped(frame)
    if len(frame) > len(groups):
        notes["records merged into the search of their id"] += len(frame) - len(groups)
    if untimed := int(groups["time"].isna().sum()):
        notes["searches without a timestamp"] += untimed
    at = pa.array(groups["at"].to_numpy(np.int64), mask=(groups["at"] < 0).to_numpy())
    listed = hits.take(at)
    listed = pa.ListArray.from_arrays(listed.offsets, listed.values)  # no list: an empty one
    teller = groups["teller"].to_numpy(np.int8)
    return Searches(groups.drop(columns=["at", "teller"]), listed, pages, bad_ids, teller, depends)


def _readable(frame: pd.DataFrame, dates: str, quarantine: Quarantine) -> tuple[pd.DataFrame, bool]:
    """Return the records with an id and a readable time (or none), and their normalised query.

    And, as the second, whether times depend on each other (`times.Times`).
    """
    quarantine.see(SOURCE, len(frame))
    frame = quarantine.hold(SOURCE, frame, row_rules.SEARCHES, key="query")
    times = parse_times(frame["timestamp"], dates)
    frame = frame.assign(time=times.times)
    for reason in sorted(set(times.reason.unique()) - {""}):
        bad = (times.reason == reason).reindex(frame.index)
        frame = quarantine.take(
            SOURCE, frame, bad, key="search_id", column="timestamp", reason=reason
        )
    return frame.assign(query=normalised(frame["query"]), teller=RECORD), times.depends


def normalised(texts: pd.Series) -> pd.Series:
    """Return the normalised queries of texts; each distinct one is worked out once."""
    return each_once(texts, normalize_query)


def _told_by_events(frame: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Return searches, as records, of events whose id has no record with a text."""
    known = frame.loc[frame["query"] != "", "search_id"]
    is_said = events["action"] == SAID
    wanted = events.loc[~is_said & (events["search_id"] != ""), "search_id"]
    wanted = wanted[~is_in(wanted, known)]
    told = events[is_in(events["search_id"], wanted) & (events["query"] != "")]
    told = told.assign(query=normalised(told["query"]))
    own = told[told["action"] != SAID]
    said = told[(told["action"] == SAID) & ~is_in(told["search_id"], own["search_id"])]
    said = said.drop_duplicates("search_id", keep="last")  # what was typed in the end
    columns = ["row", "search_id", "client_id", "application", "query", "timestamp", "time"]
    both = pd.concat([own.assign(teller=OWN), said.assign(teller=OTHERS)])
    return both[[*columns, "teller"]].assign(num_hits=0, at=-1)


def _responses_joined(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the records with the text that responses without one belong to."""
    if (frame["query"] != "").all():
        return frame
    ordered = frame.sort_values(["search_id", "time", "row"], kind="stable")
    text = ordered["query"].where(ordered["query"] != "")
    by_id = text.groupby(ordered["search_id"])
    return ordered.assign(query=by_id.ffill().fillna(by_id.bfill()).astype(str)).sort_index()


def _grouped(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per id and text, in the order of their first records."""
    frame = frame.reset_index(drop=True)
    is_shared = frame["search_id"].duplicated(keep=False)
    groups = frame[~is_shared]
    groups = groups.assign(record_id=groups["search_id"])
    if is_shared.any():  # a record whose id no other has is its own group
        groups = pd.concat([groups, _merged(frame[is_shared])]).sort_index()
    groups["query_id"] = each_once(groups["query"], query_id_of)
    columns = [
        "search_id", "query", "row", "time", "client_id", "application", "at", "record_id",
        "query_id", "teller",
    ]  # fmt: skip
    return groups[columns].reset_index(drop=True)


def _merged(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per id and text, each with the index of its first record."""
    key = ["search_id", "query"]
    longest = frame.sort_values("num_hits", ascending=False, kind="stable").drop_duplicates(key)
    told = frame.assign(
        place=frame.index,
        client_id=frame["client_id"].where(frame["client_id"] != ""),
        application=frame["application"].where(frame["application"] != ""),
    )
    grouped = told.groupby(key, sort=False)
    groups = grouped.agg(
        place=("place", "first"), row=("row", "first"), time=("time", "min"),
        client_id=("client_id", "first"), application=("application", "first"),
        teller=("teller", "first"),
    ).reset_index()  # fmt: skip
    groups = groups.fillna({"client_id": "", "application": ""})
    groups = groups.merge(longest[[*key, "at"]], on=key, how="left")
    ordered = groups.sort_values(["time", "row"], kind="stable")
    number = ordered.groupby("search_id").cumcount().reindex(groups.index)
    groups["record_id"] = groups["search_id"]
    later = number > 0
    suffix = "#" + (number[later] + 1).astype(str)
    groups.loc[later, "search_id"] = groups.loc[later, "record_id"] + suffix
    return groups.set_index("place")
