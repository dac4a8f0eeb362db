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
    folder: Path, queries: list[Any], events: list[Any], suffix: str = "ndjson"
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
    params = LogParams(kind="ubi", queries=f"q.{suffix}", events=f"e.{suffix}", columns={})
    return read_log(folder, params, ITEMS, quarantine), quarantine


@pytest.mark.parametrize("suffix", ["ndjson", "ndjson.gz", "parquet"])
def test_ubi_log_in_every_container(tmp_path: Path, suffix: str):
    log, quarantine = read(tmp_path, [query()], [event(), event(action_name="purchase")], suffix)
    assert log.searches["query"].tolist() == ["red boot"]
    assert list(log.searches["shown"][0]) == ["a", "b"]
    assert log.engagements["action"].tolist() == ["click", "purchase"]
    assert log.engagements["position"].tolist() == [2, 2]
    assert log.engagements["query_id"].tolist() == log.searches["query_id"].tolist() * 2
    assert quarantine.frame().empty


@pytest.mark.parametrize(
    "time", ["2026-09-01T00:00:00Z", "2026-09-01T02:00:00+02:00", 1788220800000, 1788220800]
)
def test_times_in_every_form_are_utc(tmp_path: Path, time: str | int):
    log, _ = read(tmp_path, [query(timestamp=time)], [])
    assert log.searches["timestamp"][0] == pd.Timestamp("2026-09-01", tz="UTC")


@pytest.mark.parametrize(
    ("name", "action"),
    [("addToCart", "add_to_cart"), ("add-to-cart", "add_to_cart"), ("BUY", "purchase")],
)
def test_spellings_of_actions(tmp_path: Path, name: str, action: str):
    log, _ = read(tmp_path, [query()], [event(action_name=name)])
    assert log.engagements["action"].tolist() == [action]


def test_impressions_are_ignored_and_counted(tmp_path: Path):
    log, quarantine = read(tmp_path, [query()], [event(action_name="impression"), event()])
    assert log.ignored == 1
    assert len(log.engagements) == 1
    assert quarantine.frame().empty


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"query_id": "s9"}, "search is unknown"),
        ({"event_attributes": {"object": {"object_id": "z"}}}, "item is unknown"),
        ({"timestamp": "yesterday"}, "timestamp cannot be read"),
        (
            {"event_attributes": {"object": {"object_id": "a"}, "position": {"ordinal": 0}}},
            "position is not a number >= 1",
        ),
        (
            {"event_attributes": {"object": {"object_id": "a"}, "position": {"ordinal": "top"}}},
            "position is not a number >= 1",
        ),
    ],
)
def test_bad_event_is_left_out_with_its_reason(tmp_path: Path, change: dict, reason: str):
    log, quarantine = read(tmp_path, [query()], [event(), event(**change)])
    assert len(log.engagements) == 1
    assert quarantine.frame()["reason"].tolist() == [reason]
    assert quarantine.totals["engagements"] == 2


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (query(query_id="s2", user_query="  "), "query is empty"),
        (query(), "id is repeated"),
        (query(query_id="s2", timestamp=None), "timestamp cannot be read"),
        ('{"query_id": "s2", "user_qu', "line is not a JSON object"),
        ("[1, 2]", "line is not a JSON object"),
    ],
)
def test_bad_search_is_left_out_with_its_reason(tmp_path: Path, record: Any, reason: str):
    log, quarantine = read(tmp_path, [query(), record], [event()])
    assert len(log.searches) == 1
    assert quarantine.frame()["reason"].tolist() == [reason]


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


def test_missing_and_truncated_logs_are_refused(tmp_path: Path):
    params = LogParams(kind="ubi", queries="q.ndjson.gz", events="e.ndjson.gz", columns={})
    with pytest.raises(DataError, match="no log there"):
        read_log(tmp_path, params, ITEMS, Quarantine())
    content = gzip.compress(
        "\n".join(json.dumps(query(query_id=str(n))) for n in range(500)).encode()
    )
    (tmp_path / "q.ndjson.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="cannot be read to its end"):
        read_log(tmp_path, params, ITEMS, Quarantine())


def test_no_log_is_empty_tables(tmp_path: Path):
    params = LogParams(kind="none", queries="", events="", columns={})
    log = read_log(tmp_path, params, ITEMS, Quarantine())
    assert log.searches.empty
    assert log.engagements.empty
