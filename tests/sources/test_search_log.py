"""Search logs: UBI in its variants, plain tables, and rows that are left out."""

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from smar.errors import DataError
from smar.params import LogParams
from smar.sources.quarantine import Quarantine
from smar.sources.search_log import SearchLog, read_log

ITEMS = {"a", "b"}


def query(**changes: Any) -> dict[str, Any]:
    record = {
        "query_id": "s1",
        "client_id": "c",
        "user_query": " Red  BOOT ",
        "timestamp": "2026-09-01T00:00:00+00:00",
        "query_response_hit_ids": ["a", "b"],
    }
    return record | changes


def event(**changes: Any) -> dict[str, Any]:
    record = {
        "action_name": "click",
        "query_id": "s1",
        "timestamp": "2026-09-01T00:00:05+00:00",
        "event_attributes": {"object": {"object_id": "a"}, "position": {"ordinal": 2}},
    }
    return record | changes


def read(
    folder: Path, queries: list[Any], events: list[Any], suffix: str = "ndjson", **settings: Any
) -> tuple[SearchLog, Quarantine]:
    for name, records in (("q", queries), ("e", events)):
        text = "\n".join(r if isinstance(r, str) else json.dumps(r) for r in records)
        path = folder / f"{name}.{suffix}"
        if suffix.endswith("gz"):
            path.write_bytes(gzip.compress(text.encode()))
        elif suffix == "parquet":
            pd.DataFrame(records).to_parquet(path)
        else:
            path.write_text(text)
    quarantine = Quarantine()
    params = LogParams(
        kind="ubi", queries=f"q.{suffix}", events=f"e.{suffix}", columns={}, **settings
    )
    return read_log(folder, params, ITEMS, quarantine), quarantine


def shown(log: SearchLog) -> list[list[str | None]]:
    return [list(items) for items in log.searches["shown"]]


def at(position: Any, item: str = "a") -> dict[str, Any]:
    return {"event_attributes": {"object": {"object_id": item}, "position": position}}


@pytest.mark.parametrize("suffix", ["ndjson", "ndjson.gz", "parquet"])
def test_ubi_log_in_every_container(tmp_path: Path, suffix: str):
    log, quarantine = read(tmp_path, [query()], [event(), event(action_name="purchase")], suffix)
    assert log.searches["query"].tolist() == ["red boot"]
    assert list(log.searches["shown"][0]) == ["a", "b"]
    assert log.engagements["action"].tolist() == ["click", "purchase"]
    assert log.engagements["position"].tolist() == [2, 2]
    assert log.engagements["query_id"].tolist() == log.searches["query_id"].tolist() * 2
    assert quarantine.frame().empty


def test_records_of_one_id_are_one_search_with_the_listed_items_of_the_response(tmp_path: Path):
    request = query(query_response_hit_ids=None, client_id="c")
    response = {"query_id": "s1", "query_response_hit_ids": ["b", "a"]}  # as the schema has it
    log, quarantine = read(tmp_path, [request, response], [event()])
    assert shown(log) == [["b", "a"]]
    assert log.searches["query"].tolist() == ["red boot"]
    assert log.notes == {"records merged into the search of their id": 1}
    assert quarantine.frame().empty


def test_records_that_share_an_id_stand_where_the_first_of_them_stood(tmp_path: Path):
    ids = ["s3", "s1", "s4", "s1", "s5", "s3", "s2"]
    queries = [query(query_id=name, client_id=f"c{at}") for at, name in enumerate(ids)]
    queries[0]["client_id"] = ""
    queries[3]["user_query"] = "blue hat"
    log, _ = read(tmp_path, queries, [])
    assert log.searches["search_id"].tolist() == ["s3", "s1", "s4", "s1#2", "s5", "s2"]
    assert log.searches["client_id"].tolist() == ["c5", "c1", "c2", "c3", "c4", "c6"]
    assert log.searches["query"].tolist() == [*["red boot"] * 3, "blue hat", *["red boot"] * 2]
    assert log.searches["query_id"].nunique() == 2


def test_another_text_under_one_id_is_another_search(tmp_path: Path):
    later = "2026-09-01T00:01:00Z"
    queries = [query(), query(user_query="blue hat", timestamp=later)]
    events = [
        event(),  # before the second text
        event(timestamp="2026-09-01T00:01:09Z"),
        event(user_query="RED boot", timestamp="2026-09-01T00:01:10Z"),  # says its text
    ]
    log, _ = read(tmp_path, queries, events)
    assert log.searches[["search_id", "query"]].to_numpy().tolist() == [
        ["s1", "red boot"],
        ["s1#2", "blue hat"],
    ]
    assert log.engagements["search_id"].tolist() == ["s1", "s1#2", "s1"]


def test_event_makes_the_search_that_has_no_record(tmp_path: Path):
    events = [
        event(query_id="s7", user_query="Blue hat", client_id="c9"),
        event(query_id="s8"),
        event(query_id="s8", action_name="search", message_type="QUERY", message="green"),
        event(query_id="s9", action_name="search", message_type="QUERY", message="gre"),
    ]
    log, quarantine = read(tmp_path, [query()], events)
    assert log.searches["query"].tolist() == ["red boot", "blue hat", "green"]
    assert log.searches["client_id"].tolist() == ["c", "c9", ""]
    assert log.engagements["search_id"].tolist() == ["s7", "s8"]
    assert quarantine.frame().empty


def test_event_of_an_unknown_search_goes_to_the_clients_search_that_listed_its_item(
    tmp_path: Path,
):
    known = event(query_id="s9", client_id="c", timestamp="2026-09-01T00:29:00Z")
    late = event(query_id="s9", client_id="c", timestamp="2026-09-01T00:31:00Z")
    other = event(query_id="s9", client_id="d")
    log, quarantine = read(tmp_path, [query()], [known, late, other])
    assert log.engagements["search_id"].tolist() == ["s1"]
    assert quarantine.counts() == {"engagements: search is unknown": 2}


def test_pages_without_a_text_are_counted_not_bad(tmp_path: Path):
    page = query(query_id="s2", user_query="", query_response_hit_ids=[])
    events = [event(), event(query_id="s2"), event(query_id="s2", action_name="impression")]
    log, quarantine = read(tmp_path, [query(), page], events)
    assert len(log.searches) == len(log.engagements) == 1
    assert log.notes == {
        "engagements on pages without a text": 1,
        "impressions on pages without a text": 1,
        "searches without a text (pages of a category or filter)": 1,
    }
    assert quarantine.frame().empty


@pytest.mark.parametrize("nothing", [None, "", float("nan")])
def test_missing_clients_and_times_are_missing(tmp_path: Path, nothing: Any):
    log, quarantine = read(tmp_path, [query(client_id=nothing, timestamp=nothing)], [event()])
    assert log.searches["client_id"].tolist() == [""]
    assert log.searches["timestamp"].isna().all()
    assert len(log.engagements) == 1
    assert quarantine.frame().empty


def test_numbers_as_ids_mean_the_items_they_can_mean(tmp_path: Path):
    events = [event(**at(1, item)) for item in (1001, 1001.0, 7, "8")]  # type: ignore[arg-type]
    quarantine = Quarantine()
    lines = [json.dumps(query(query_response_hit_ids=[7])), *map(json.dumps, events)]
    (tmp_path / "log").write_text("\n".join(lines))
    params = LogParams(kind="ubi", queries="", events="log", columns={})
    log = read_log(tmp_path, params, {"1001", "007", "08", "008"}, quarantine)
    assert log.engagements["item_id"].tolist() == ["1001", "1001", "007"]  # 8: which of two?
    assert shown(log) == [["007"]]
    assert quarantine.counts() == {"engagements: item is unknown": 1}


def test_actions_of_params_come_first_and_the_rest_is_counted_by_name(tmp_path: Path):
    names = ["click", "Watch", "hover", "checkout"]
    events = [event(action_name=name) for name in names]
    log, _ = read(tmp_path, [query()], events, actions={"watch": "add_to_cart", "checkout": "none"})
    assert log.engagements["action"].tolist() == ["click", "add_to_cart"]
    assert log.ignored == {"checkout": 1, "hover": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"query_id": "s9"}, "search is unknown"),
        ({"event_attributes": {"object": {"object_id": "z"}}}, "item is unknown"),
        ({"event_attributes": None}, "no item is named"),
        ({"timestamp": "yesterday"}, "timestamp cannot be read"),
        ({"timestamp": "01/02/2026"}, "timestamp has day and month in unclear order"),
    ],
)
def test_bad_event_is_left_out_with_its_reason(tmp_path: Path, change: dict, reason: str):
    log, quarantine = read(tmp_path, [query()], [event(), event(**change)])
    assert len(log.engagements) == 1
    assert [text.startswith(reason) for text in quarantine.frame()["reason"]] == [True]
    assert quarantine.totals["engagements"] == 2


@pytest.mark.parametrize("position", ["top", -3, 1.5, 10**9])
def test_bad_position_costs_the_position_only(tmp_path: Path, position: Any):
    log, quarantine = read(tmp_path, [query()], [event(**at({"ordinal": position}))])
    assert log.engagements["position"].isna().all()
    assert quarantine.frame()["source"].tolist() == ["positions"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (query(query_id=None), "id is empty"),
        (query(query_id="s2", timestamp="soon"), "timestamp cannot be read"),
        ("[1, 2]", "line is not a JSON object"),
        ("oops\n", "line is not a JSON object"),
        ('{"query": 1}', None),  # no query says so, but the file does: a page
    ],
)
def test_bad_search_is_left_out_with_its_reason(tmp_path: Path, record: Any, reason: str | None):
    log, quarantine = read(tmp_path, [query(), record], [event()])
    assert len(log.searches) == 1
    assert quarantine.frame()["reason"].tolist() == ([reason] if reason else ["id is empty"])


def test_event_without_a_position_is_fine(tmp_path: Path):
    log, _ = read(tmp_path, [query()], [event(event_attributes={"object": {"object_id": "a"}})])
    assert log.engagements["position"].isna().all()


def test_plain_table_makes_one_search_per_client_query_and_day(tmp_path: Path):
    (tmp_path / "log.csv").write_text(
        "q,item_id,action,timestamp,client_id\n"
        "red boot,a,click,2026-09-01T10:00:00Z,c1\n"
        "Red Boot,b,purchase,2026-09-01T11:00:00Z,c1\n"
        "red boot,a,click,2026-09-02T10:00:00Z,c1\n"
        "red boot,z,click,2026-09-02T10:00:00Z,c2\n"
    )
    params = LogParams(kind="table", queries="", events="log.csv", columns={"query": "q"})
    quarantine = Quarantine()
    log = read_log(tmp_path, params, ITEMS, quarantine)
    assert len(log.searches) == 3
    assert len(log.engagements) == 3
    assert log.engagements["search_id"].tolist()[0] == log.engagements["search_id"].tolist()[1]
    assert quarantine.counts() == {"engagements: item is unknown": 1}


def test_table_without_a_column_is_refused_with_a_near_match(tmp_path: Path):
    (tmp_path / "log.csv").write_text("querry,item_id,action,timestamp\nx,a,click,1\n")
    params = LogParams(kind="table", queries="", events="log.csv", columns={})
    with pytest.raises(DataError, match=r"no column 'query' for query\. Did you mean 'querry'"):
        read_log(tmp_path, params, ITEMS, Quarantine())


def test_table_keeps_searches_without_an_engagement_and_places(tmp_path: Path):
    (tmp_path / "log.tsv").write_text(
        "Search Term\tproduct_id\tevent_name\tevent_time\tquery_id\trank\n"
        "red boot\ta\tview_item_list\t1788256800000000\t1\t0\n"
        "red boot\tb\tview_item_list\t1788256800000000\t1\t1\n"
        "red boot\tb\tselect_item\t1788256801000000\t1\t1\n"
        "blue hat\t\tsearch\t1788256802000000\t2\t\n"
    )
    params = LogParams(kind="table", queries="", events="log.tsv", columns={})
    quarantine = Quarantine()
    log = read_log(tmp_path, params, ITEMS, quarantine)
    assert log.searches["query"].tolist() == ["red boot", "blue hat"]
    assert shown(log) == [["a", "b"], []]
    assert log.engagements["position"].tolist() == [2]
    assert log.ignored == {"search": 1}
    assert quarantine.frame().empty


def test_no_log_is_empty_tables(tmp_path: Path):
    params = LogParams(kind="none", queries="", events="", columns={})
    log = read_log(tmp_path, params, ITEMS, Quarantine())
    assert log.searches.empty
    assert log.engagements.empty


def test_what_impressions_saw_is_what_was_shown(tmp_path: Path):
    def seen(position: int, item: str) -> dict[str, Any]:
        return event(action_name="impression", **at({"ordinal": position}, item))

    queries = [
        query(query_response_hit_ids=["a", "b", "c", "d", "e"]),  # seen to place 3, engaged at 4
        query(query_id="s2", query_response_hit_ids=None),  # place 2: by the click; 3: unknown
        query(query_id="s3"),  # none seen: as listed
    ]
    events = [
        seen(3, "x"), seen(1, "a"), seen(1, "a"),
        *(seen(n, i) | {"query_id": "s2"} for n, i in ((1, "a"), (4, "d"))),
        event(query_id="s2", **at({"ordinal": 2}, "b")),
        event(**at({"ordinal": 4}, "b")),  # engaged, so shown, and not at place 2
    ]  # fmt: skip
    log, _ = read(tmp_path, queries, events, positions=1)
    assert shown(log) == [["a", None, "x", "b"], ["a", "b", None, "d"], ["a", "b"]]


def test_impressions_without_positions_stand_as_they_were_logged(tmp_path: Path):
    events = [
        event(action_name="impression", event_attributes={"object": {"object_id": item}})
        for item in "ba"
    ]
    log, _ = read(tmp_path, [query(query_response_hit_ids=[])], events)
    assert shown(log) == [["b", "a"]]


@pytest.mark.parametrize(
    ("position", "places"),
    [
        (lambda n: {"ordinal": n}, [1, 2]),
        (lambda n: {"ordinal": {"index": n}}, [1, 2]),  # 1.0 to 1.2
        (lambda n: {"ordinal": str(n - 1)}, [1, 2]),  # from 0, as text
        (lambda n: n, [1, 2]),
        (lambda n: {"x": n}, [None, None]),
    ],
)
def test_positions_in_every_form_begin_at_one(tmp_path: Path, position: Any, places: list):
    events = [event(**at(position(n), item)) for n, item in ((1, "a"), (2, "b"))]
    log, _ = read(tmp_path, [query()], events)
    assert [None if p is pd.NA else p for p in log.engagements["position"]] == places


def test_each_application_counts_as_it_does(tmp_path: Path):
    events = [
        event(application="old", **at({"ordinal": 0})),
        event(application="new", **at({"ordinal": 1})),
    ]
    log, _ = read(tmp_path, [query()], events)
    assert log.engagements["position"].tolist() == [1, 1]
    assert log.first_position == {"new": 1, "old": 0}
    forced, _ = read(tmp_path, [query()], events, positions=1)
    assert forced.engagements["position"].isna().tolist() == [True, False]


def test_listed_items_tell_how_positions_begin(tmp_path: Path):
    """No one clicked the first place: only what was listed shows that 1 is the second."""
    events = [event(**at({"ordinal": 1}, "b"))] * 4
    log, _ = read(tmp_path, [query()], events)
    assert log.engagements["position"].tolist() == [2] * 4


def test_new_day_only_adds(tmp_path: Path):
    """Searches and engagements of days that were there before do not change."""
    for day in (1, 2):
        (tmp_path / "q").mkdir(exist_ok=True)
        lines = [query(query_id=f"d{day}", timestamp=f"2026-09-0{day}"), event(query_id=f"d{day}")]
        (tmp_path / "q" / f"2026-09-0{day}.ndjson").write_text("\n".join(map(json.dumps, lines)))
        params = LogParams(kind="ubi", queries="q", events="q", columns={})
        log = read_log(tmp_path, params, ITEMS, Quarantine())
        assert log.searches["search_id"].tolist() == [f"d{n + 1}" for n in range(day)]
        if day == 1:
            first = log
    assert log.searches[:1].astype(str).equals(first.searches.astype(str))
    assert log.engagements[:1].equals(first.engagements)


def test_visitors_that_nobody_can_tell_apart_are_no_client(tmp_path: Path):
    names = [
        "(not set)",
        "Anonymous",
        "-",
        "0",
        "guest",
        "c1",
        "00000000-0000-0000-0000-000000000000",
    ]
    queries = [query(query_id=f"s{n}", client_id=name) for n, name in enumerate(names)]
    log, _ = read(tmp_path, queries, [event(query_id="s5")])
    assert log.searches["client_id"].tolist() == ["", "", "", "", "", "c1", ""]
    assert log.notes["rows of clients that are nobody, such as '(not set)'"] == 6


def test_hits_of_every_form_are_what_was_shown(tmp_path: Path):
    forms = [
        ["a", "b"], "a,b", '["a", "b"]', {"ids": ["a", "b"]}, [{"object_id": "a"}, {"_id": "b"}],
        [{"id": "a"}, {"doc_id": "b"}],
    ]  # fmt: skip
    queries = [query(query_id=f"s{n}", query_response_hit_ids=f) for n, f in enumerate(forms)]
    log, _ = read(tmp_path, queries, [])
    assert [list(shown) for shown in log.searches["shown"]] == [["a", "b"]] * len(forms)


def test_id_in_another_case_means_the_one_item_it_can_mean(tmp_path: Path):
    shown = query(query_response_hit_ids=["A", "b"])
    clicked = event(event_attributes={"object": {"object_id": "A"}, "position": {"ordinal": 1}})
    log, quarantine = read(tmp_path, [shown], [clicked])
    assert log.engagements["item_id"].tolist() == ["a"]
    assert list(log.searches["shown"][0]) == ["a", "b"]
    assert log.notes["ids put to the item whose id differs by upper and lower case alone"] == 2
    assert quarantine.frame().empty


def test_ids_of_more_digits_than_a_number_holds_stay_apart(tmp_path: Path):
    first, second = 12345678901234567890123, 12345678901234567890124
    queries = [query(query_id=first, client_id=second), query(query_id=second)]
    log, _ = read(tmp_path, queries, [event(query_id=second)])
    assert log.searches["search_id"].tolist() == [str(first), str(second)]
    assert log.searches["client_id"].tolist() == [str(second), "c"]
    assert log.engagements["search_id"].tolist() == [str(second)]
