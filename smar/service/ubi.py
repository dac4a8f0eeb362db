"""Records of User Behavior Insights 1.3, as `sources/ubi.py` reads them and clients post them."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

APPLICATION = "smar"
MOST_RECORDS = 1000
_LONGEST = 500  # of an id or a name
_LONGEST_TEXT = 2000
_DEEPEST = 8
_FIRST_MS, _LAST_MS = 946_684_800_000, 4_102_444_800_000  # 2000 to 2100
_IDS = ("query_id", "client_id", "session_id", "user_id", "application", "query_response_id")
_TEXTS = ("user_query", "message", "message_type", "extra_info", "extra_info_type")
# Names that make a reader take a record for the wrapping of another one.
_WRAPPERS = frozenset({"index", "create", "update", "delete", "_source", "doc", "hits"})
_EVENT_MARKS = ("action_name", "event_attributes")


def now() -> str:
    """Return the time as UBI writes it: UTC, milliseconds."""
    second, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    return f"{_second(second)}.{milliseconds:03d}Z"


@lru_cache(1)
def _second(since_1970: int) -> str:
    return datetime.fromtimestamp(since_1970, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def query_record(
    query_id: str,
    text: str,
    item_ids: Sequence[str],
    *,
    client_id: str,
    attributes: Mapping[str, Any],
    at: str = "",
) -> dict[str, Any]:
    """Return the record of a search that the service answered.

    Args:
        query_id: What events of this search name.
        text: What was typed.
        item_ids: What was shown, best first; positions of events count in it from 1.
        client_id: Who searched, "" if unknown.
        attributes: Release, page, filters, shares: what explains the list.
        at: When, as `now` gives it; "" for now.
    """
    return {
        "application": APPLICATION,
        "query_id": query_id,
        "client_id": client_id,
        "user_query": text,
        "query_attributes": attributes,
        "object_id_field": "item_id",
        "timestamp": at or now(),
        "query_response_id": query_id,
        "query_response_hit_ids": list(item_ids),
    }


def checked_queries(content: object) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Return posted query records with a time each, and all problems as (pointer, words)."""
    records, problems = _records(content)
    for place, record in records:
        for name in _EVENT_MARKS:
            if name in record:
                words = "marks an event, and this is a query; post it to /ubi_events"
                problems.append((f"/{place}/{name}", words))
        if not isinstance(record.get("user_query"), str):
            words = _expected(record, "user_query", "a text, what was typed")
            problems.append((f"/{place}/user_query", words))
        if not _is_id(record.get("query_id")):
            words = _expected(record, "query_id", "a text")
            problems.append((f"/{place}/query_id", words))
    return [record for _, record in records], problems


def checked_events(content: object) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Return posted events with a time each, and all problems as (pointer, words)."""
    records, problems = _records(content)
    for place, record in records:
        if not _is_id(record.get("action_name")):
            words = _expected(record, "action_name", "a text such as click or add_to_cart")
            problems.append((f"/{place}/action_name", words))
        attributes = record.get("event_attributes")
        if attributes is not None and not isinstance(attributes, dict):
            words = _expected(record, "event_attributes", "an object")
            problems.append((f"/{place}/event_attributes", words))
    return [record for _, record in records], problems


def _records(
    content: object,
) -> tuple[list[tuple[int, dict[str, Any]]], list[tuple[str, str]]]:
    """Return the records with their places, and what is wrong with either kind."""
    elements = [content] if isinstance(content, dict) else content
    if not isinstance(elements, list):
        return [], [("", f"expected an array of records, got {_kind(content)}")]
    if len(elements) > MOST_RECORDS:
        return [], [("", f"{len(elements)} records at once, at most {MOST_RECORDS} are taken")]
    records: list[tuple[int, dict[str, Any]]] = []
    problems: list[tuple[str, str]] = []
    for place, element in enumerate(elements):
        if not isinstance(element, dict):
            problems.append((f"/{place}", f"expected an object, got {_kind(element)}"))
            continue
        problems += [(f"/{place}{pointer}", words) for pointer, words in _problems_of(element)]
        if not element.get("timestamp"):
            element["timestamp"] = now()
        records.append((place, element))
    return records, problems


def _problems_of(record: dict[str, Any]) -> list[tuple[str, str]]:
    problems = [
        (f"/{name}", "is no field of a UBI record") for name in sorted(_WRAPPERS & set(record))
    ]
    for name, most in (*((n, _LONGEST) for n in _IDS), *((n, _LONGEST_TEXT) for n in _TEXTS)):
        value = record.get(name)
        if value is None or type(value) is int:
            continue
        if not isinstance(value, str):
            problems.append((f"/{name}", f"expected a text, got {_kind(value)}"))
        elif len(value) > most:
            problems.append((f"/{name}", f"is {len(value)} characters long, at most {most}"))
    if (stamp := record.get("timestamp")) and not _is_time(stamp):
        words = f"expected ISO 8601 or milliseconds since 1970, got {str(stamp)[:40]!r}"
        problems.append(("/timestamp", words))
    if _depth(record) > _DEEPEST:
        problems.append(("", f"is nested deeper than {_DEEPEST} levels"))
    return problems


def _is_time(value: object) -> bool:
    if type(value) is int:
        return _FIRST_MS <= value <= _LAST_MS
    try:
        return isinstance(value, str) and 2000 <= datetime.fromisoformat(value).year < 2100
    except ValueError:
        return False


def _depth(value: object, level: int = 0) -> int:
    """Return how deep a value is nested, no deeper than one level too many."""
    if not isinstance(value, dict | list) or level > _DEEPEST:
        return level
    inner = value.values() if isinstance(value, dict) else value
    return max((_depth(element, level + 1) for element in inner), default=level + 1)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _expected(record: Mapping[str, Any], name: str, what: str) -> str:
    return f"expected {what}, got {_kind(record[name]) if name in record else 'nothing'}"


def _kind(value: object) -> str:
    """Return what a value of JSON is, in words."""
    if value is None:
        return "null"
    if isinstance(value, str) and not value.strip():
        return "an empty text"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "an array"}
    return names.get(type(value), "an object")
