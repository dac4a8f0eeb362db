"""User Behavior Insights 1.0 to 1.3: records of queries and events into columns."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from smar.params import LogParams
from smar.sources.actions import NONE, Actions
from smar.sources.log_files import log_files
from smar.sources.log_kept import KeptLog, LogPart, joined
from smar.sources.log_records import read_records
from smar.sources.quarantine import Quarantine
from smar.sources.raw_log import NOTHING, SAID, RawLog, are_plain, text_of

_HITS = ("query_response_hit_ids", "query_response_objects_ids", "query_response_object_ids")
_QUERY_MARKS = frozenset({"user_query", "query_response_id", "query_attributes", *_HITS})
_LONGEST_NOTHING = max(map(len, NOTHING))
_JSON = ("{", "[")
_TIMES = ("timestamp", "@timestamp")
_ITEMS = ("object", "objects", "items", "products")
_IDS = ("object_id", "item_id", "product_id", "sku", "id", "internal_id", "_id", "doc_id", "docId")


class UbiFiles:
    """The files of a UBI log: each is read when it is asked for, and once.

    A record says itself whether it is a query or an event, so both may be in one file, and files
    that were exchanged are understood.

    Args:
        folder: What relative names start from.
        params: The section `ingest.log`.
        kept: Where it is kept what files said (`log_kept`); None to read them.

    Attributes:
        paths: The files, in the order in which their rows are put together.

    Raises:
        DataError: If a setting names no file.
    """

    def __init__(self, folder: Path, params: LogParams, kept: Path | None = None) -> None:
        self._actions = Actions(params.actions)
        self._kept = KeptLog(kept, __name__, sorted(params.actions.items()))
        self._of_queries = set(log_files(folder, params.queries)) if params.queries else set()
        self._of_events = set(log_files(folder, params.events)) if params.events else set()
        self.paths = log_files(folder, params.queries, params.events)

    def key(self, path: Path) -> str:
        """Return what stands for a file and the way in which it is read."""
        return self._kept.key(path, *self._about(path))

    def part(self, path: Path) -> LogPart:
        """Return what a file says.

        Raises:
            DataError: If a parquet file cannot be opened.
        """
        about = self._about(path)
        read = partial(_read_file, path, *about, self._actions)
        return self._kept.part(path, read, *about)

    def forget_others(self) -> None:
        """Remove what is kept of other files than those whose `key` or `part` was asked for."""
        self._kept.forget_others()

    def _about(self, path: Path) -> tuple[str, str]:
        """Return what the bad lines of a file count for, and what a record is that says nothing."""
        source = "searches" if path in self._of_queries else "engagements"
        return source, "" if path in self._of_queries & self._of_events else source


def read_ubi(
    folder: Path, params: LogParams, quarantine: Quarantine, kept: Path | None = None
) -> RawLog:
    """Return the records of a UBI log; what `kept` has of its files is not read again.

    Raises:
        DataError: If a setting names no file, or a parquet file cannot be opened.
    """
    files = UbiFiles(folder, params, kept)
    parts = [files.part(path) for path in files.paths]
    files.forget_others()
    return joined(parts, quarantine)


def _read_file(path: Path, source: str, default: str, actions: Actions) -> LogPart:
    """Return what a file says.

    Args:
        path: The file.
        source: What its bad lines count for.
        default: What a record is that does not say it; "" for none.
        actions: What names of actions mean.
    """
    part = LogPart()
    for row, record in read_records(path, source, part.quarantine):
        kind = _kind_of(record) or default
        if kind == "searches":
            _add_query(part.log, row, _nested(record))
        elif kind == "engagements":
            _add_event(part.log, row, _nested(record), actions)
        else:
            part.quarantine.see(source, 1)
            reason = "record is neither a query nor an event"
            part.quarantine.put(source, [(row, path.name, "record", reason, record)])
    return part


def _kind_of(record: dict[str, Any]) -> str:
    if "action_name" in record or "event_attributes" in record:
        return "engagements"
    if not _QUERY_MARKS.isdisjoint(record):
        return "searches"
    if any(name.startswith("event_attributes.") for name in record):
        return "engagements"
    return ""


def _nested(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record whose names with dots ("event_attributes.object.object_id") are nested."""
    if "." not in "".join(record):
        return record
    nested: dict[str, Any] = {}
    for name, value in record.items():
        *path, last = name.split(".")
        place = nested
        for part in path:
            inner = place.get(part)
            if not isinstance(inner, dict):
                inner = place[part] = {}
            place = inner
        if not (last in place and value is None):
            place[last] = value
    return nested


def _add_query(log: RawLog, row: int, record: dict[str, Any]) -> None:
    log.queries.add(
        (
            row,
            record.get("query_id"),
            record.get("client_id"),
            record.get("application"),
            record.get("user_query"),
            _time(record),
            _hits(record),
        )
    )


def _add_event(log: RawLog, row: int, record: dict[str, Any], actions: Actions) -> None:
    action = record.get("action_name")
    meaning = actions.meaning(action) if isinstance(action, str) else NONE
    attributes = record.get("event_attributes")
    if not isinstance(attributes, dict):
        attributes = _mapping(attributes)
    query = record.get("user_query")
    if meaning == NONE:
        log.others[text_of(action) or "(no action)"] += 1
        if str(record.get("message_type")).upper() != "QUERY":
            return
        # The specification has a QUERY message say what was searched.
        query = text_of(query) or record.get("message")
        objects: list[tuple[str, str]] = [("", "")]
        meaning = SAID
    else:
        usual = _usual_object(attributes)
        objects = [usual] if usual else list(_objects(record, attributes)) or [("", "")]
    query_id, client_id = record.get("query_id"), record.get("client_id")
    application = record.get("application")
    time = _time(record) or _time(attributes)
    for item_id, position in objects:
        log.events.add(
            (row, query_id, client_id, application, query, time, item_id, meaning, position)
        )


def _usual_object(attributes: dict[str, Any]) -> tuple[str, str] | None:
    """Return the item and the position of attributes as the specification has them, else None.

    What `_objects` returns for them, at a fifth of the time.
    """
    named, position = attributes.get("object"), attributes.get("position")
    if not isinstance(named, dict) or not isinstance(position, dict) or "position" in named:
        return None
    item_id, ordinal = named.get("object_id"), position.get("ordinal")
    if not isinstance(item_id, str) or type(ordinal) is not int:  # a bool is none
        return None
    if not item_id.isalnum() or item_id in NOTHING:  # letters and digits are an id as they are
        item_id = text_of(item_id)
    return (item_id, str(ordinal)) if item_id else None


def _objects(record: dict[str, Any], attributes: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the items of an event with their positions; a list of items has a place each."""
    position = _position(attributes.get("position", record.get("position")))
    for place in (attributes, record):
        for name in _ITEMS:
            value = place.get(name)
            if value is None or value == {}:
                continue
            value = _parsed(value)
            several = value if isinstance(value, list) else [value]
            for element in several:
                own = _position(element.get("position")) if isinstance(element, dict) else ""
                shared = position if len(several) == 1 else ""
                for item_id in _item_ids(element):
                    yield item_id, own or shared
            return
    for place in (attributes, record):
        for item_id in _item_ids({name: place.get(name) for name in _IDS[:4]}):
            yield item_id, position
            return


def _item_ids(element: object) -> Iterator[str]:
    """Yield the ids that an object names: one, or the several of a list."""
    if not isinstance(element, dict):
        if item_id := text_of(element):
            yield item_id
        return
    for name in _IDS:
        value = element.get(name)
        found = [text_of(v) for v in value] if isinstance(value, list) else [text_of(value)]
        if any(found):
            yield from (item_id for item_id in found if item_id)
            return


def _position(value: object) -> str:
    """Return a position: a number, {"ordinal": n}, or {"ordinal": {"index": n}} before 1.3."""
    value = _parsed(value)
    for name in ("ordinal", "index"):
        if isinstance(value, dict):
            value = value.get(name)
    return "" if isinstance(value, dict) else text_of(value)


def _time(record: dict[str, Any]) -> str:
    for name in _TIMES:
        value = record.get(name)
        # A text of that length is no word for nothing.
        text = value if isinstance(value, str) and len(value) > _LONGEST_NOTHING else text_of(value)
        if text:
            return text
    return ""


def _hits(record: dict[str, Any]) -> list[str]:
    """Return the items of a response, from a list, a JSON text or a text parted by commas."""
    for name in _HITS:
        value = _parsed(record.get(name))
        if isinstance(value, str):
            value = value.split(",")
        elif isinstance(value, dict):  # {"ids": [...]}
            value = next((inner for inner in value.values() if isinstance(inner, list)), value)
        if isinstance(value, list | tuple) and len(value):
            if are_plain(value) and not value[0].startswith(_JSON) and "" not in value:
                return list(value)
            return [item_id for hit in value for item_id in _item_ids(_parsed(hit))]
    return []


def _parsed(value: object) -> object:
    """Return a value, parsed where it is the text of JSON."""
    if isinstance(value, str) and value.lstrip().startswith(_JSON):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _mapping(value: object) -> dict[str, Any]:
    value = _parsed(value)
    if isinstance(value, list) and all(
        isinstance(pair, tuple) and len(pair) == 2 for pair in value
    ):
        value = dict(value)  # a map column of parquet
    return value if isinstance(value, dict) else {}
