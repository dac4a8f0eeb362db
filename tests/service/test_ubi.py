"""What the service writes and clients post is what ingest reads, with nothing put aside."""

from pathlib import Path
from typing import Any

import pytest

from smar.params import LogParams
from smar.service import ubi
from smar.service.event_log import EventLog, LogLimits
from smar.sources.quarantine import Quarantine
from smar.sources.search_log import SearchLog, read_log

ITEMS = {f"i{number}" for number in range(9)}


def read_back(root: Path, records: list[dict[str, Any]]) -> tuple[SearchLog, Quarantine]:
    """Write records as the service does and read them as ingest does."""
    log = EventLog(root / "raw/ubi", root / "spool", LogLimits(free_bytes=0))
    log.synced(log.append(records)).result(5)
    log.close()
    quarantine = Quarantine()
    return read_log(
        root / "raw", LogParams(queries="ubi", events="ubi"), ITEMS, quarantine
    ), quarantine


def posted_event(**changes: Any) -> dict[str, Any]:
    """Return an event as the fields of OpenSearch's ubi.js client are."""
    return {
        "application": "shop",
        "action_name": "click",
        "query_id": "q1",
        "session_id": "s1",
        "client_id": "c1",
        "user_id": "",
        "timestamp": ubi.now(),
        "message_type": "INFO",
        "message": "",
        "event_attributes": {
            "object": {"object_id": "i2", "object_id_field": "item_id", "description": "A lamp"},
            "position": {"ordinal": 2},
        },
    } | changes


def test_own_searches_and_posted_events_become_searches_and_engagements(tmp_path: Path):
    search = ubi.query_record(
        "q1", "Teal  Lamp", ["i1", "i2"], client_id="c1", attributes={"release": "v1", "page": 1}
    )
    events, problems = ubi.checked_events(
        [posted_event(), posted_event(action_name="add_to_cart"), posted_event(action_name="hover")]
    )
    assert problems == []
    log, quarantine = read_back(tmp_path, [search, *events])
    assert quarantine.frame().empty
    assert log.searches["query"].tolist() == ["teal lamp"]
    assert list(log.searches["shown"].tolist()[0]) == ["i1", "i2"]
    assert log.engagements["action"].tolist() == ["click", "add_to_cart"]
    assert log.engagements["position"].tolist() == [2, 2]
    assert log.ignored == {"hover": 1}


def test_posted_queries_are_searches(tmp_path: Path):
    posted = {
        "application": "shop",
        "query_id": "q7",
        "client_id": "c1",
        "user_query": "lamp",
        "query_attributes": {"page": 1},
        "object_id_field": "item_id",
        "timestamp": "2026-11-28T10:00:00.000Z",
    }
    untimed = posted | {"query_id": "q8", "timestamp": ""}
    records, problems = ubi.checked_queries([posted, untimed])
    assert problems == []
    log, quarantine = read_back(tmp_path, records)
    assert quarantine.frame().empty
    assert log.searches["search_id"].tolist() == ["q7", "q8"]
    assert log.searches["timestamp"].notna().all()


def test_single_object_is_an_array_of_one():
    assert ubi.checked_events(posted_event())[0][0]["query_id"] == "q1"


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        ({"action_name": " "}, "/0/action_name", "expected a text such as click"),
        ({"event_attributes": [1]}, "/0/event_attributes", "expected an object, got an array"),
        ({"query_id": 1.5}, "/0/query_id", "expected a text, got a number"),
        ({"client_id": "x" * 501}, "/0/client_id", "501 characters long, at most 500"),
        ({"timestamp": "yesterday"}, "/0/timestamp", "expected ISO 8601 or milliseconds"),
        ({"timestamp": 12}, "/0/timestamp", "got '12'"),
        ({"timestamp": [1]}, "/0/timestamp", "expected ISO 8601"),
        ({"_source": {}}, "/0/_source", "no field of a UBI record"),
        ({"hits": {"hits": []}}, "/0/hits", "no field of a UBI record"),
        ({"event_attributes": {"a": [[[[[[[[1]]]]]]]]}}, "/0", "nested deeper than 8"),
    ],
)
def test_bad_events_are_refused_in_words(changes: dict[str, Any], pointer: str, words: str):
    problems = ubi.checked_events([posted_event(**changes)])[1]
    assert [place for place, _ in problems] == [pointer]
    assert words in problems[0][1]


def test_all_problems_are_told_at_once():
    problems = ubi.checked_queries([{"query_id": "", "action_name": "click"}, 5, {}])[1]
    assert [place for place, _ in problems] == [
        "/1", "/0/action_name", "/0/user_query", "/0/query_id", "/2/user_query", "/2/query_id",
    ]  # fmt: skip
    assert ubi.checked_events("click")[1] == [("", "expected an array of records, got a text")]
    assert "at most 1000" in ubi.checked_events([{}] * 1001)[1][0][1]
