"""A log that goes on is the log that is joined as a whole, or it says that it cannot tell."""

import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from smar.data.lookup import is_among
from smar.data.membership import in_one_piece
from smar.params import LogParams
from smar.sources import log_grown
from smar.sources.log_grown import JoinedLog, grown, joined_whole
from smar.sources.positions import Votes
from smar.sources.quarantine import Quarantine
from smar.sources.raw_log import SAID, RawLog

ITEMS = pa.array(["a", "b", "C", "007", "e"])
PARAMS = LogParams(kind="ubi", queries="q", events="e", columns={})
Day = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]  # rows of `raw_log.QUERIES`, `EVENTS`


def at(day: int, minute: int) -> str:
    return f"2026-09-{day + 1:02d}T{minute // 60:02d}:{minute % 60:02d}:30Z"


def search(day: int, number: int, **other: Any) -> tuple[Any, ...]:
    told = {
        "search_id": f"s{day}-{number}", "client_id": f"c{number}", "application": "web",
        "query": "red boot", "timestamp": at(day, number), "shown": ["a", "b", "C"],
    }  # fmt: skip
    return (number + 1, *(told | other).values())


def event(day: int, number: int, **other: Any) -> tuple[Any, ...]:
    told = {
        "search_id": f"s{day}-{number}", "client_id": f"c{number}", "application": "web",
        "query": "", "timestamp": at(day, number + 1), "item_id": "b", "action": "click",
        "position": "2",
    }  # fmt: skip
    return (number + 1, *(told | other).values())


def log_of(days: Sequence[Day]) -> RawLog:
    log = RawLog()
    for queries, events in days:
        for row in queries:
            log.queries.add(row)
        for row in events:
            log.events.add(row)
        log.others["scroll"] += 2
        log.notes["a note"] += 1
    return log


def whole(days: Sequence[Day], params: LogParams = PARAMS) -> JoinedLog:
    own = Quarantine()
    own.see("searches", len(days))  # lines that its reader could not read
    own.put("searches", [(7, "file", "line", "is not JSON", "{")] * len(days))
    return joined_whole(log_of(days), params, ITEMS, own)


def gone_on(days: Sequence[Day], old: int, params: LogParams = PARAMS) -> JoinedLog | None:
    def rows_of(ids: pa.Array) -> RawLog:
        log, rows = log_of(days[:old]), RawLog()
        for column, given in ((rows.queries, log.queries), (rows.events, log.events)):
            table = given.table()
            column.extend(table.filter(is_among(in_one_piece(table["search_id"]), ids)))
        return rows

    own = Quarantine()
    new = len(days) - old
    own.see("searches", new)
    own.put("searches", [(7, "file", "line", "is not JSON", "{")] * new)
    return grown(whole(days[:old], params), log_of(days[old:]), rows_of, params, ITEMS, own)


def said(log: JoinedLog) -> dict[str, Any]:
    """Return all that a log says, its sets in an order."""
    told = dict(vars(log))
    for name in ("searches", "engagements", "texts"):
        told[name] = told[name].to_pylist()
    for name in ("other_ids", "strays"):
        told[name] = sorted(map(str, told[name].to_pylist()))
    told["other_ids"] = sorted({*told["other_ids"]})
    quarantine = told.pop("quarantine")
    return told | {"totals": quarantine.totals, "left": quarantine.frame().to_dict("records")}


USUAL: Day = (
    [search(0, n) for n in range(4)],
    [event(0, n) for n in range(3)] + [event(0, 3, action="impression", position="1")],
)
LAST: Day = (
    [search(1, n, query="blue sofa") for n in range(3)], [event(1, n) for n in range(3)]
)  # fmt: skip


def after(*events: tuple[Any, ...], searches: Sequence[tuple[Any, ...]] = ()) -> list[Day]:
    return [USUAL, ([*LAST[0], *searches], [*LAST[1], *events])]


MIDNIGHT = 24 * 60 - 5
GOES_ON = {
    "nothing in common": after(),
    "a click on a search of before": after(event(0, 1, timestamp=at(1, 0), item_id="a")),
    "an impression of a search of before": after(
        event(0, 1, action="impression", position="1", item_id="e")
    ),
    "a click without an id": after(event(1, 2, search_id="", item_id="C")),
    "a click without an id on a search of before": [
        ([*USUAL[0], search(0, 9, client_id="night", timestamp=at(0, MIDNIGHT))], USUAL[1]),
        (LAST[0], [*LAST[1], event(1, 0, search_id="?", client_id="night", item_id="C")]),
    ],
    "a click on a page of before": [
        ([*USUAL[0], search(0, 9, query="")], USUAL[1]),
        (LAST[0], [*LAST[1], event(0, 9)]),
    ],
    "a search that events alone tell": after(event(1, 7, query="lamp")),
    "searches that events alone tell, before and after": [
        (USUAL[0], [*USUAL[1], event(0, 7, query="lamp"), event(0, 8, action=SAID, query="x y"),
                    event(0, 8)]),
        (LAST[0], [*LAST[1], event(1, 7, query="lamp"), event(1, 8, action=SAID, query="x z"),
                   event(1, 8)]),
    ],
    "a response that comes late": after(
        searches=[search(0, 1, query="", shown=["e", "a", "b", "C"], timestamp=at(0, 2))]
    ),
    "a second text of an id": after(searches=[search(0, 2, query="red hat", timestamp=at(1, 3))]),
    "what is bad": [
        ([*USUAL[0], search(0, 8, timestamp="soon")], [*USUAL[1], event(0, 1, item_id="gone")]),
        ([*LAST[0], search(1, 8, timestamp="soon")],
         [*LAST[1], event(0, 1, item_id="gone"), event(1, 1, position="-3"),
          event(0, 2, item_id="7", timestamp="soon")]),
    ],
    "another application, from 0": after(
        *(event(1, n, application="app", position="1") for n in range(3))
    ),
    "dates whose order the day tells": after(
        searches=[search(1, 8, timestamp="09/01/2026 10:00"),
                  search(1, 9, timestamp="25/01/2026 10:00")]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOES_ON)
def test_log_that_goes_on_is_the_whole_log(name: str):
    found = gone_on(GOES_ON[name], 1)
    assert found is not None
    assert said(found) == said(whole(GOES_ON[name]))


TWO_TEXTS: Day = (  # which makes a search "s0-2#2"
    [*USUAL[0], search(0, 2, query="red hat", timestamp=at(0, 9))], USUAL[1]
)  # fmt: skip
CANNOT_TELL = {
    "an id that was made for a second text": [
        TWO_TEXTS, ([*LAST[0], search(1, 8, search_id="s0-2#2")], LAST[1])
    ],
    "an id that was made for a second text, and the first one's": [
        TWO_TEXTS, ([*LAST[0], search(1, 8, search_id="s0-2#2")], [*LAST[1], event(0, 2)])
    ],
    "an id of no search, of a click that a client's search is the one of": [
        (USUAL[0], [*USUAL[1], event(0, 1, search_id="?1", item_id="C")]),
        (LAST[0], [*LAST[1], event(1, 1, search_id="?1", client_id="c9")]),
    ],
    "a click on a search that has one by its client": [
        (USUAL[0], [*USUAL[1], event(0, 1, search_id="", item_id="C")]),
        (LAST[0], [*LAST[1], event(0, 1, item_id="a")]),
    ],
    "a click on a search that was seen by its client": [
        (USUAL[0], [*USUAL[1], event(0, 1, search_id="", action="impression", position="")]),
        (LAST[0], [*LAST[1], event(0, 1, item_id="a")]),
    ],
    "a record of what an event alone told": [
        (USUAL[0], [*USUAL[1], event(0, 7, query="lamp", action="impression")]),
        ([*LAST[0], search(0, 7, query="lamp")], LAST[1]),
    ],
    "an earlier text of an id without a click": after(
        searches=[search(0, 3, query="red hat", timestamp=at(0, 0))]
    ),
    "the text of an id that had none": [
        ([*USUAL[0], search(0, 9, query="")], USUAL[1]), ([*LAST[0], search(0, 9)], LAST[1])
    ],
    "a search before a click of before": [
        (USUAL[0], [*USUAL[1], event(0, 1, search_id="", client_id="late", item_id="C")]),
        ([*LAST[0], search(0, 8, client_id="late", timestamp=at(0, 0))], LAST[1]),
    ],
    "a list of a search that a click of before may mean": [
        (USUAL[0], [*USUAL[1], event(0, 1, search_id="", item_id="e")]),
        ([*LAST[0], search(0, 1, query="", shown=["e", "a", "b", "C"])], LAST[1]),
    ],
    "a text said once more": [
        (USUAL[0], [*USUAL[1], event(0, 8, action=SAID, query="x y"), event(0, 8)]),
        (LAST[0], [*LAST[1], event(0, 8, action=SAID, query="x y")]),
    ],
    "an earlier text of an id": after(
        searches=[search(0, 2, query="red hat", timestamp=at(0, 0))]
    ),
    "dates that depend on those of before": [
        ([*USUAL[0], search(0, 9, timestamp="09/01/2026 10:00")], USUAL[1]),
        ([*LAST[0], search(1, 9, timestamp="25/01/2026 10:00")], LAST[1]),
    ],
    "positions that began at 1 and begin at 0": [
        (USUAL[0], [event(0, 0, item_id="e")]),
        (LAST[0], [event(1, n, position="1") for n in range(3)]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CANNOT_TELL)
def test_what_may_change_more_is_not_gone_on_with(name: str):
    assert gone_on(CANNOT_TELL[name], 1) is None


def random_day(rng: random.Random, day: int, odd: float) -> Day:
    def one(usual: Any, *others: Any) -> Any:
        return rng.choice(others) if rng.random() < odd else usual

    queries, events = [], []
    for number in range(rng.randint(0, 5)):
        who = one(number, rng.randint(0, 5))
        other = {
            "client_id": one(f"c{who}", "", "guest", "c0"),
            "query": rng.choice(["Red boot", "sofa", one("lamp", "")]),
            "timestamp": one(at(day, number), at(day, MIDNIGHT), "", "soon", "25/09/2026"),
            "shown": rng.choice([["a", "b", "C"], ["e", "7"], []]),
        }
        queries.append(search(one(day, max(0, day - 1)), who, **other))
    for number in range(rng.randint(0, 8)):
        of, who = one(day, max(0, day - 1)), rng.randint(0, 5)
        other = {
            "search_id": one(f"s{of}-{who}", f"s{of}-{who}", f"s{of}-{who}", "", f"?{who}"),
            "client_id": one(f"c{who}", "", "guest", "c0"),
            "query": one("", "", "", "Lamp"),
            "item_id": rng.choice(["a", "b", "c", "7", "e", one("C", "gone", "")]),
            "action": one("click", "impression", "impression", "purchase", SAID),
            "position": rng.choice(["1", "2", one("3", "0", "x", "")]),
            "timestamp": one(at(day, number), at(day, number), "", "09/08/2026", "never"),
            "application": one("web", "app"),
        }
        events.append(event(of, who, **other))
    return queries, events


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.whole) for n in (1, 2, 3))]
)
def test_whatever_goes_on_is_the_whole_log(seed: int, monkeypatch: pytest.MonkeyPatch):
    went_on = 0
    for number in range(12):
        rng = random.Random(f"{seed} {number}")
        if rng.random() < 0.3:  # few events are looked up, and days reach the most
            most = rng.randint(1, 4)
            monkeypatch.setattr("smar.sources.positions.SAMPLE", most)
            monkeypatch.setattr(log_grown, "SAMPLE", most)
        params = PARAMS.model_copy(update={"positions": rng.choice(["auto", "0", "1"])})
        odd = rng.random() ** 3
        days = [random_day(rng, day, odd) for day in range(rng.randint(2, 5))]
        found = gone_on(days, rng.randint(1, len(days) - 1), params)
        if found is not None:
            assert said(found) == said(whole(days, params)), number
            went_on += 1
        monkeypatch.undo()
    assert went_on > 1


def test_votes_add_up_until_enough_events_were_looked_up():
    old = {"web": Votes(30, 1, 1998, 5, 7), "app": Votes(9, 0, 2000, 0, 9)}
    before = {"web": Votes(4, 1, 3, 1, 0)}
    few, many = ({"web": Votes(9, 2, looked, 1, 2)} for looked in (5, 6))
    assert log_grown._votes_added(old, before, few) == old | {"web": Votes(35, 2, 2000, 5, 9)}
    assert log_grown._votes_added(old, before, many) is None
    assert log_grown._votes_added(old, {}, {"app": Votes(3, 3, 3, 3, 0)}) == old | {
        "app": Votes(12, 3, 2000, 0, 9)
    }
    assert log_grown._votes_added({}, {}, few) == few
    assert log_grown._votes_added({}, {}, {"web": Votes(9, 2, 2000, 1, 2)}) is None
