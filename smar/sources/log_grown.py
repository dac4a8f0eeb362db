"""A log that goes on: its new files are joined, and of the others what these speak of.

What a file says of a search is joined by the search's id, or by client and time; all else of a log
adds up. So a day that came is joined with those searches of other days that it names or may mean,
once without the day and once with it: what changes between the two is what changes in the whole.
Where that cannot be told for sure the log is joined as a whole.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.data import schema
from smar.data.arrow_numbers import numbers_of
from smar.data.lookup import is_among, those_of
from smar.data.membership import in_one_piece, is_in, places_of
from smar.params import LogParams
from smar.sources.log_kept import LogPart, joined
from smar.sources.log_links import may_be_of
from smar.sources.log_searches import OTHERS
from smar.sources.positions import SAMPLE, Votes, first_positions
from smar.sources.quarantine import Quarantine
from smar.sources.query_table import TEXTS, searched_texts
from smar.sources.raw_log import RawLog
from smar.sources.search_log import LinkedLog, LogFacts, SearchLog, join_log, link_log

IDS = pa.schema([pa.field("search_id", pa.string())])
STRAYS = pa.schema(
    [pa.field("client_id", pa.string()), pa.field("time", pa.timestamp("us", "UTC"))]
)
_TELLERS = OTHERS + 1


@dataclass(frozen=True)
class JoinedLog:
    """A log in tables, and what one needs of it that goes on with it.

    Args:
        searches: As `schema.SEARCHES`.
        engagements: As `schema.ENGAGEMENTS`.
        texts: As `query_table.TEXTS`.
        other_ids: Ids that records or events have and no search, as `IDS`.
        strays: Events that a client's search might be the one of, as `STRAYS`.
        votes: What events say of where positions begin, by application.
        tellers: How many searches there are of each kind of `log_searches.Searches.teller`.
        depends: As of `times.Times`.
        facts: What there is to say of its reading.
        quarantine: What was left out.
    """

    searches: pa.Table
    engagements: pa.Table
    texts: pa.Table
    other_ids: pa.Table
    strays: pa.Table
    votes: Mapping[str, Votes]
    tellers: tuple[int, ...]
    depends: bool
    facts: LogFacts
    quarantine: Quarantine


def joined_whole(
    log: RawLog, params: LogParams, item_ids: pa.Array, quarantine: Quarantine
) -> JoinedLog:
    """Return a log joined as a whole.

    Args:
        log: All its rows.
        params: The section `ingest.log`.
        item_ids: Ids that exist.
        quarantine: What its readers left out; takes what is left out here.
    """
    linked = link_log(log, params, quarantine)
    first = first_positions(linked.votes, str(params.positions))
    read = join_log(linked, first, item_ids, quarantine)
    return JoinedLog(
        searches=_searches(read),
        engagements=_engagements(read),
        texts=searched_texts(read.searches["query"]),
        other_ids=_ids(linked.other_ids),
        strays=_strays(linked),
        votes=linked.votes,
        tellers=_tellers(linked),
        depends=linked.depends,
        facts=LogFacts(ignored=read.ignored, notes=read.notes, first_position=read.first_position),
        quarantine=quarantine,
    )


def grown(
    old: JoinedLog,
    new: RawLog,
    rows_of: Callable[[pa.Array], RawLog],
    params: LogParams,
    item_ids: pa.Array,
    quarantine: Quarantine,
) -> JoinedLog | None:
    """Return the log that an old one and new files are, as `joined_whole` of all; or None.

    Args:
        old: The log without the new files, joined with the same settings and items.
        new: Rows of the new files, which come after all others.
        rows_of: Returns the rows of the other files that have one of some search ids.
        params: The section `ingest.log`.
        item_ids: Ids that exist.
        quarantine: What readers of the new files left out.
    """
    met = _met(old, new, rows_of, params)
    if met is None:
        return None
    votes = _votes_added(old.votes, met.before.votes, met.after.votes)
    if votes is None:
        return None
    first = first_positions(votes, str(params.positions))
    if any(first[name] != begin for name, begin in old.facts.first_position.items()):
        return None
    before = join_log(met.before, first, item_ids, met.left_out[0])
    after = join_log(met.after, first, item_ids, met.left_out[1])
    searches = _searches_grown(old, met, before, after)
    engagements = _engagements_grown(old, before, after)
    if searches is None or engagements is None:
        return None
    met.left_out[1].add(quarantine)
    tellers = zip(old.tellers, _tellers(met.before), _tellers(met.after), strict=True)
    return JoinedLog(
        searches=searches,
        engagements=engagements,
        texts=_texts_grown(old.texts, before, after),
        other_ids=pa.concat_tables([old.other_ids, _ids(met.after.other_ids)]),
        strays=pa.concat_tables([old.strays, _strays(met.after)]),
        votes=votes,
        tellers=tuple(was - less + more for was, less, more in tellers),
        depends=old.depends or met.after.depends,
        facts=LogFacts(
            ignored=_summed(old.facts.ignored, {}, met.after.ignored),
            notes=_summed(old.facts.notes, before.notes, after.notes),
            first_position=dict(sorted(first.items())),
        ),
        quarantine=old.quarantine.changed(*met.left_out),
    )


@dataclass(frozen=True)
class _Met:
    """Those searches of a log that new files speak of, without these files and with them.

    `left_out` has what was left out of each so far, and takes what still is.
    """

    before: LinkedLog
    after: LinkedLog
    left_out: tuple[Quarantine, Quarantine]


def _met(
    old: JoinedLog, new: RawLog, rows_of: Callable[[pa.Array], RawLog], params: LogParams
) -> _Met | None:
    """Return what is joined again; None where more than that may change."""
    given = [in_one_piece(rows.table()["search_id"]) for rows in (new.queries, new.events)]
    ids = pc.unique(pa.concat_arrays(given))
    known, others = (in_one_piece(table["search_id"]) for table in (old.searches, old.other_ids))
    named, near = those_of(known, ids), pa.array([], pa.string())
    for _ in range(2):  # what events without an id may belong to is known when they are linked
        again = pc.unique(pa.concat_arrays([named, near, those_of(others, ids)]))
        left_out = Quarantine(), Quarantine()
        rows = rows_of(again) if len(again) else RawLog()
        before = link_log(rows, params, left_out[0])
        both = joined([LogPart(rows), LogPart(new)], left_out[1])
        after = link_log(both, params, left_out[1])
        near = _near(old, after.strays)
        old_ids = _texts(before.searches.frame["search_id"])
        is_whole = pc.all(pc.is_in(pa.concat_arrays([named, near]), value_set=old_ids)).as_py()
        if is_whole is not False:
            break
    is_open = is_whole is False or len(before.strays) or (before.searches.teller == OTHERS).any()
    if is_open or (old.depends and after.depends) or _strays_move(old, before, after):
        return None
    is_new = ~is_in(after.searches.frame["search_id"], old_ids)
    new_ids = _texts(after.searches.frame.loc[is_new, "search_id"])
    if pc.any(is_among(others, new_ids)).as_py():  # a search now, whose place is among the others
        return None
    return _Met(before, after, left_out)


def _strays_move(old: JoinedLog, before: LinkedLog, after: LinkedLog) -> bool:
    """Return whether an event that no id leads to a search may be another search's now."""
    if not len(old.strays):
        return False
    frames = [
        log.searches.frame[["search_id", "client_id", "time"]].assign(
            listed=pd.Series(map(tuple, log.searches.hits.to_pylist()), dtype=object)
        )
        for log in (before, after)
    ]
    other = pd.concat(frames).drop_duplicates(keep=False)  # new, or not what they were
    return len(may_be_of(old.strays.to_pandas(), other)) > 0


def _near(old: JoinedLog, strays: pd.DataFrame) -> pa.Array:
    """Return the ids of the searches that events without one may belong to."""
    if not len(strays):
        return pa.array([], pa.string())
    clients = _texts(pd.Index(strays["client_id"].unique()))
    table = old.searches.select(["search_id", "client_id", "timestamp"])
    table = table.filter(is_among(in_one_piece(table["client_id"]), clients))
    searches = table.to_pandas().rename(columns={"timestamp": "time"})
    return _texts(may_be_of(strays, searches)["search_id"])


def _votes_added(
    old: Mapping[str, Votes], before: Mapping[str, Votes], after: Mapping[str, Votes]
) -> dict[str, Votes] | None:
    """Return the votes of a log that grew; None if it cannot be told which are looked at."""
    added = dict(old)
    for name, told in after.items():
        was, less = old.get(name, Votes()), before.get(name, Votes())
        if was.looked == SAMPLE:  # none of the others is looked at
            told, less = Votes(told.given - less.given, told.zeros - less.zeros), Votes()  # noqa: PLW2901
        elif told.looked == SAMPLE or was.looked + told.looked - less.looked > SAMPLE:
            return None
        parts = zip(*(vars(votes).values() for votes in (was, less, told)), strict=True)
        added[name] = Votes(*(w - s + t for w, s, t in parts))
    return added


def _searches_grown(
    old: JoinedLog, met: _Met, before: SearchLog, after: SearchLog
) -> pa.Table | None:
    """Return the searches, those that are known at their places; None if these are others now."""
    names = [_texts(log.searches["search_id"]) for log in (before, after)]
    in_after = places_of(names[0], names[1])
    in_old = places_of(names[0], in_one_piece(old.searches["search_id"]))
    if (in_after < 0).any() or (in_old < 0).any() or after.searches["search_id"].duplicated().any():
        return None
    if old.searches.take(pa.array(in_old)) != _searches(before):
        return None  # more than they say themselves was known of them
    texts = [log.searches["query"].to_numpy() for log in (before, after)]
    teller = [log.searches.teller for log in (met.before, met.after)]
    if (texts[0] != texts[1][in_after]).any() or (teller[0] != teller[1][in_after]).any():
        return None
    rows = np.arange(len(old.searches))
    rows[in_old] = len(rows) + in_after
    is_new = np.ones(len(names[1]), bool)
    is_new[in_after] = False
    new = np.flatnonzero(is_new)
    kinds = np.split(rows, np.cumsum(old.tellers)[:-1])
    parts = [
        part
        for kind, of_old in enumerate(kinds)
        for part in (of_old, len(rows) + new[teller[1][new] == kind])
    ]
    return _picked([old.searches, _searches(after)], np.concatenate(parts))


def _engagements_grown(old: JoinedLog, before: SearchLog, after: SearchLog) -> pa.Table | None:
    """Return the engagements, those that are known at their places; None if these are others."""
    less, more = _engagements(before), _engagements(after)
    ids = _texts(before.searches["search_id"])
    is_met = is_among(in_one_piece(old.engagements["search_id"]), ids)
    rows = np.arange(len(old.engagements))
    places = np.flatnonzero(is_met.to_numpy(zero_copy_only=False))
    if any(table != less for table in (old.engagements.filter(is_met), more.slice(0, len(less)))):
        return None
    rows[places] = len(rows) + np.arange(len(less))
    new = len(rows) + np.arange(len(less), len(more))
    return _picked([old.engagements, more], np.concatenate([rows, new]))


def _picked(tables: list[pa.Table], rows: NDArray[np.int64]) -> pa.Table:
    """Return rows of tables put one below the other, of which most stand in runs."""
    both = pa.concat_tables(tables)
    starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
    lengths = np.diff(starts, append=len(rows))
    runs = zip(rows[starts].tolist(), lengths.tolist(), strict=True)
    parts = [both.slice(start, length) for start, length in runs]
    return pa.concat_tables(parts or [both.slice(0, 0)]).combine_chunks()


def _texts_grown(old: pa.Table, before: SearchLog, after: SearchLog) -> pa.Table:
    """Return the texts of searches, in their order."""
    less, more = (searched_texts(log.searches["query"]) for log in (before, after))
    texts = in_one_piece(old["query"])
    counts = numbers_of(old["num_searches"]).astype(np.int64)
    new = more.filter(pc.invert(is_among(in_one_piece(more["query"]), texts)))
    for table, sign in ((less, -1), (more, 1)):
        places = places_of(in_one_piece(table["query"]), texts)
        numbers = numbers_of(table["num_searches"]).astype(np.int64)
        counts[places[places >= 0]] += sign * numbers[places >= 0]
    known = pa.table([texts, pa.array(counts)], TEXTS).filter(pa.array(counts > 0))
    return pa.concat_tables([known, new]).sort_by("query").combine_chunks()


def _summed(
    old: Mapping[str, int], before: Mapping[str, int], after: Mapping[str, int]
) -> dict[str, int]:
    counts = Counter(old)
    counts.subtract(before)
    counts.update(after)
    return {name: number for name, number in sorted(counts.items()) if number}


def _searches(log: SearchLog) -> pa.Table:
    return schema.table_of(log.searches, schema.SEARCHES)


def _engagements(log: SearchLog) -> pa.Table:
    return schema.table_of(log.engagements, schema.ENGAGEMENTS)


def _ids(ids: pd.Index) -> pa.Table:
    return pa.table([_texts(ids)], IDS)


def _strays(log: LinkedLog) -> pa.Table:
    return schema.table_of(log.strays, STRAYS)


def _tellers(log: LinkedLog) -> tuple[int, ...]:
    return tuple(np.bincount(log.searches.teller, minlength=_TELLERS).tolist())


def _texts(texts: pd.Series | pd.Index) -> pa.Array:
    return in_one_piece(pa.array(texts, pa.string()))
