"""Search logs into searches and engagements: UBI (User Behavior Insights) or a plain table."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from smar.data import row_rules
from smar.data.membership import is_in
from smar.data.schema import ACTIONS
from smar.params import LogParams
from smar.sources.actions import IMPRESSION
from smar.sources.item_ids import ItemIds
from smar.sources.log_links import search_of_events
from smar.sources.log_searches import Searches, find_searches
from smar.sources.log_table import read_log_table
from smar.sources.positions import Votes, first_positions, places_of, shown_lists, votes_of
from smar.sources.quarantine import Quarantine
from smar.sources.raw_log import RawLog, known_clients
from smar.sources.times import parse_times
from smar.sources.ubi import read_ubi

logger = logging.getLogger(__name__)

SOURCE = "engagements"
_NO_TEXT = "on pages without a text"


@dataclass(frozen=True, kw_only=True)
class LogFacts:
    """What there is to say of the reading of a log.

    Args:
        ignored: Events that are no engagement and no impression, by the name of their action.
        notes: What else was met that is not bad, by what it is.
        first_position: Whether positions began at 0 or 1, by application.
    """

    ignored: dict[str, int]
    notes: dict[str, int]
    first_position: dict[str, int]

    def tell(self) -> None:
        """Log what a reader of the log should know."""
        if 0 in self.first_position.values():
            logger.info("log: positions begin at %s (by application)", self.first_position)
        for note, number in self.notes.items():
            logger.info("log: %d x %s", number, note)
        if self.ignored:
            logger.info(
                "log: actions that are no engagement (map them in ingest.log.actions): %s",
                ", ".join(f"{n} x {name}" for name, n in self.ignored.items()),
            )

    def details(self) -> dict[str, Any]:
        """Return what a manifest says of the reading of the log."""
        return {
            "events_ignored": self.ignored,
            "log_notes": self.notes,
            "first_position": self.first_position,
        }


@dataclass(frozen=True, kw_only=True)
class SearchLog(LogFacts):
    """A log that was read.

    Args:
        searches: Columns of `schema.SEARCHES` and query (normalised text).
        engagements: Columns of `schema.ENGAGEMENTS`.
    """

    searches: pd.DataFrame
    engagements: pd.DataFrame


@dataclass(frozen=True)
class LinkedLog:
    """A log whose events stand at their searches, while nothing says yet where positions begin.

    Args:
        events: Engagements and impressions: as `raw_log.EVENTS`, and time, time_reason, ordinal
            (NaN for none) and search (row in `searches`, -1 for none).
        searches: The searches.
        votes: What events say of where positions begin.
        strays: As of `log_links.Links`.
        other_ids: Ids that records or events have and no search.
        depends: As of `times.Times`.
        ignored: As of `LogFacts`.
        notes: As of `LogFacts`, as far as it goes.
    """

    events: pd.DataFrame
    searches: Searches
    votes: dict[str, Votes]
    strays: pd.DataFrame
    other_ids: pd.Index
    depends: bool
    ignored: Counter[str]
    notes: Counter[str]


def read_log(
    folder: Path,
    params: LogParams,
    item_ids: pa.Array | Iterable[str],
    quarantine: Quarantine,
    kept: Path | None = None,
) -> SearchLog:
    """Return the searches and engagements of a log; bad rows go to the quarantine.

    Args:
        folder: What relative names start from.
        params: The section `ingest.log`.
        item_ids: Ids that exist.
        quarantine: Takes what is left out.
        kept: Where it is kept what files said (`log_kept`); None to read all of them.

    Raises:
        DataError: If a file is missing, unreadable or lacks a column.
    """
    log = link_log(read_raw(folder, params, quarantine, kept), params, quarantine)
    first = first_positions(log.votes, str(params.positions))
    read = join_log(log, first, item_ids, quarantine)
    read.tell()
    return read


def read_raw(
    folder: Path, params: LogParams, quarantine: Quarantine, kept: Path | None = None
) -> RawLog:
    """Return the rows of a log; all as `read_log`."""
    return _READERS[params.kind](folder, params, quarantine, kept)


def _read_none(
    folder: Path, params: LogParams, quarantine: Quarantine, kept: Path | None = None
) -> RawLog:
    return RawLog()


_READERS: dict[str, Callable[[Path, LogParams, Quarantine, Path | None], RawLog]] = {
    "none": _read_none,
    "ubi": read_ubi,
    "table": read_log_table,
}


def link_log(log: RawLog, params: LogParams, quarantine: Quarantine) -> LinkedLog:
    """Return a log with its events at their searches; records that are bad go to the quarantine."""
    notes = Counter(log.notes)
    events = known_clients(log.events.table(), notes).to_pandas()
    times = parse_times(events["timestamp"], params.dates)
    events["time"], events["time_reason"] = times.times, times.reason
    searches = find_searches(
        known_clients(log.queries.table(), notes), events, params.dates, quarantine, notes
    )
    is_told = is_in(events["action"], (*ACTIONS, IMPRESSION))
    said_ids = pd.Series(events.loc[~is_told, "search_id"].unique(), dtype=str)
    said_ids = said_ids[~is_in(said_ids, searches.frame["record_id"])]
    events = events[is_told].reset_index(drop=True)
    events["ordinal"] = _numbers(events["position"])
    links = search_of_events(events, searches, notes)
    events["search"] = links.searches
    found = (searches.page_ids, searches.bad_ids, links.unknown_ids, pd.Index(said_ids))
    return LinkedLog(
        events=events,
        searches=searches,
        votes=votes_of(events, links.searches, searches.hits, str(params.positions)),
        strays=links.strays,
        other_ids=reduce(pd.Index.union, (ids.astype(str) for ids in found)).difference([""]),
        depends=times.depends or searches.depends,
        ignored=log.others.copy(),
        notes=notes,
    )


def join_log(
    log: LinkedLog,
    first: Mapping[str, int],
    item_ids: pa.Array | Iterable[str],
    quarantine: Quarantine,
) -> SearchLog:
    """Return a log as its tables; bad rows go to the quarantine.

    Args:
        log: As `link_log`.
        first: As `positions.first_positions`.
        item_ids: Ids that exist.
        quarantine: Takes what is left out.
    """
    known, notes, searches = ItemIds(item_ids), log.notes.copy(), log.searches
    events = log.events.assign(place=places_of(log.events, first))
    is_impression = events["action"] == IMPRESSION
    impressions = _impressions(events[is_impression], searches, notes)
    engaged = _engagements(events[~is_impression], searches, known, quarantine, notes)
    shown = shown_lists(searches.hits, impressions, engaged)
    return SearchLog(
        searches=_search_table(searches, shown, known),
        engagements=_engagement_table(engaged, searches),
        ignored=dict(sorted(log.ignored.items())),
        notes=dict(sorted((notes + known.notes).items())),
        first_position=dict(sorted(first.items())),
    )


def _numbers(texts: pd.Series) -> pd.Series:
    """Return the numbers of texts, of which few are distinct; not a number where it is none."""
    codes, values = pd.factorize(texts)
    numbers = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(np.float64)
    return pd.Series(np.append(numbers, np.nan)[codes], index=texts.index)


def _impressions(
    impressions: pd.DataFrame, searches: Searches, notes: Counter[str]
) -> pd.DataFrame:
    """Return the impressions of known searches; the others are counted."""
    on_page = is_in(impressions["search_id"], searches.page_ids) & (impressions["search"] < 0)
    unknown = (impressions["search"] < 0) & ~on_page
    nameless = (impressions["search"] >= 0) & (impressions["item_id"] == "")
    for told, what in (
        (on_page, f"impressions {_NO_TEXT}"),
        (unknown, "impressions of unknown searches"),
        (nameless, "impressions without an item"),
    ):
        if number := int(told.sum()):
            notes[what] += number
    return impressions[~(on_page | unknown | nameless)]


def _engagements(
    events: pd.DataFrame,
    searches: Searches,
    item_ids: ItemIds,
    quarantine: Quarantine,
    notes: Counter[str],
) -> pd.DataFrame:
    """Return the engagements with known items and searches."""
    on_page = is_in(events["search_id"], searches.page_ids) & (events["search"] < 0)
    if number := int(on_page.sum()):
        notes[f"engagements {_NO_TEXT}"] += number
    events = events[~on_page]
    quarantine.see(SOURCE, len(events))
    events = events.assign(item_id=item_ids.known(events["item_id"]))
    events = quarantine.hold(
        SOURCE, events, row_rules.ENGAGEMENTS, key="search_id", known={"item_id": item_ids.all}
    )
    for reason in sorted(set(events["time_reason"].unique()) - {""}):
        bad = events["time_reason"] == reason
        events = quarantine.take(
            SOURCE, events, bad, key="search_id", column="timestamp", reason=reason
        )
    given = events["position"] != ""
    quarantine.see("positions", int(given.sum()))
    bad = given & events["place"].isna()
    reason = "position is not a whole number from the first on (the engagement stays, without it)"
    quarantine.take("positions", events, bad, key="search_id", column="position", reason=reason)
    return events


def _search_table(searches: Searches, shown: pa.Array, item_ids: ItemIds) -> pd.DataFrame:
    lists = pa.ListArray.from_arrays(shown.offsets, item_ids.known_values(shown.values))
    return pd.DataFrame(
        {
            "search_id": searches.frame["search_id"],
            "query_id": searches.frame["query_id"],
            "client_id": searches.frame["client_id"],
            "timestamp": searches.frame["time"],
            "shown": pd.Series(pd.arrays.ArrowExtensionArray(lists)),
            "query": searches.frame["query"],
        }
    )


def _engagement_table(engaged: pd.DataFrame, searches: Searches) -> pd.DataFrame:
    of = searches.frame[["search_id", "query_id"]].iloc[engaged["search"].to_numpy(np.int64)]
    return pd.DataFrame(
        {
            "search_id": of["search_id"].to_numpy(),
            "query_id": of["query_id"].to_numpy(),
            "item_id": engaged["item_id"].to_numpy(),
            "action": engaged["action"].to_numpy(),
            "position": engaged["place"].array,
            "timestamp": engaged["time"].array,
        }
    )
