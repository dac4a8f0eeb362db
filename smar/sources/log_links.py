"""Which search an event belongs to."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.data.membership import in_one_piece, is_in, places_of
from smar.sources.log_searches import Searches, normalised

# An event that names no known search is put to a search of the same client that listed its item,
# if that was not longer ago than a usual session (the half hour of web analytics).
_SESSION = pd.Timedelta(minutes=30)


@dataclass(frozen=True)
class Links:
    """Which searches events belong to.

    Args:
        searches: Row of the search of each event, -1 where none is known.
        strays: Columns client_id and time: events that no id leads to a search and a client's
            search might have been the one of.
        unknown_ids: Ids of events that are no search's.
    """

    searches: NDArray[np.int64]
    strays: pd.DataFrame
    unknown_ids: pd.Index


def search_of_events(events: pd.DataFrame, searches: Searches, notes: Counter[str]) -> Links:
    """Return the search of every event.

    By its id; where an id has several texts by the event's own text, else the newest before it;
    without a known id by client, item and time.
    """
    frame = searches.frame
    found = np.full(len(events), -1, np.int64)
    is_shared = frame["record_id"].duplicated(keep=False)
    several = frame.loc[is_shared, "record_id"]
    ids = (pa.array(some, pa.string()) for some in (events["search_id"], frame["record_id"]))
    found[:] = places_of(*map(in_one_piece, ids))
    if len(several):
        number = pd.Series(np.arange(len(frame)), index=frame["record_id"])
        rows = np.flatnonzero(events["search_id"].isin(several))
        found[rows] = _of_several(events.iloc[rows], frame, number)
    unknown = np.flatnonzero(found < 0)
    unknown_ids = pd.Index(events["search_id"].iloc[unknown].unique())
    left = unknown[~events["search_id"].iloc[unknown].isin(searches.page_ids).to_numpy()]
    strays = _told(events.iloc[left])
    if len(left):
        found[left] = _by_client(strays, len(left), searches)
        if linked := int((found[left] >= 0).sum()):
            notes["events of unknown searches, put to the client's search that listed the item"] = (
                linked
            )
    return Links(found, strays[["client_id", "time"]], unknown_ids)


def may_be_of(strays: pd.DataFrame, searches: pd.DataFrame) -> pd.DataFrame:
    """Return the searches that events may be put to, whatever they listed.

    Args:
        strays: As of `Links`.
        searches: Columns client_id, time, and others that are returned.
    """
    searches = searches[is_in(searches["client_id"], strays["client_id"])]
    searches = searches[searches["time"].notna()].sort_values("time", kind="stable")
    strays = strays.sort_values("time", kind="stable").assign(met=True)
    # Of a client's events the first after a search tells whether one is near.
    near = pd.merge_asof(
        searches.astype({"client_id": object}), strays.astype({"client_id": object}),
        on="time", by="client_id", direction="forward", tolerance=_SESSION,
    )  # fmt: skip
    return near[near["met"].notna()].drop(columns="met")


def _of_several(events: pd.DataFrame, frame: pd.DataFrame, number: pd.Series) -> NDArray[np.int64]:
    """Return the search of events whose id has several texts."""
    chosen = frame[frame["record_id"].isin(events["search_id"])]
    by_text = pd.Series(
        chosen.index, index=pd.MultiIndex.from_frame(chosen[["record_id", "query"]])
    )
    key = pd.MultiIndex.from_arrays([events["search_id"], normalised(events["query"])])
    found = by_text.reindex(key).fillna(-1).to_numpy(np.int64)
    timed = chosen.dropna(subset="time").sort_values("time", kind="stable")
    timed = timed[["record_id", "time"]].assign(place=timed.index)
    left = events[["search_id", "time"]].assign(at=np.arange(len(events)))
    left = left[(found < 0) & left["time"].notna()].sort_values("time", kind="stable")
    if len(left) and len(timed):
        before = pd.merge_asof(
            left, timed, on="time", left_by="search_id", right_by="record_id"
        ).dropna(subset="place")
        found[before["at"].to_numpy(np.int64)] = before["place"].to_numpy(np.int64)
    first = number[~number.index.duplicated()]
    rest = events["search_id"].map(first).to_numpy(np.int64)
    return np.where(found < 0, rest, found)


def _told(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events that say client, item and time, `at` which place they stood, by time."""
    left = events[["client_id", "item_id", "time"]].assign(at=np.arange(len(events)))
    is_told = (left["client_id"] != "") & (left["item_id"] != "") & left["time"].notna()
    return left[is_told].sort_values("time", kind="stable")


def _by_client(left: pd.DataFrame, count: int, searches: Searches) -> NDArray[np.int64]:
    """Return the client's newest search before each of `count` events that listed its item."""
    found = np.full(count, -1, np.int64)
    frame = searches.frame
    is_open = frame["client_id"].isin(left["client_id"]) & frame["time"].notna()
    places = np.flatnonzero(is_open)
    if not len(left) or not len(places):
        return found
    hits = searches.hits.take(pa.array(places))
    parent = places[pc.list_parent_indices(hits).to_numpy(zero_copy_only=False)]
    listed = pd.DataFrame(
        {
            "client_id": frame["client_id"].to_numpy()[parent],
            "item_id": pc.list_flatten(hits).to_pandas().astype(str),
            "time": frame["time"].array[parent],
            "place": parent,
        }
    ).sort_values("time", kind="stable")
    if not len(listed):
        return found
    left = left.assign(item_id=left["item_id"].astype(str))
    before = pd.merge_asof(
        left.astype({"client_id": object, "item_id": object}),
        listed.astype({"client_id": object, "item_id": object}),
        on="time", by=["client_id", "item_id"], tolerance=_SESSION,
    ).dropna(subset="place")  # fmt: skip
    found[before["at"].to_numpy(np.int64)] = before["place"].to_numpy(np.int64)
    return found
