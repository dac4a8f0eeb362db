"""Search logs: UBI 1.x (User Behavior Insights) or a plain table."""

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pandas as pd

from smar.data.schema import ACTIONS, normalize_query
from smar.errors import DataError, list_problems, near_match
from smar.params import LogParams
from smar.sources.quarantine import Quarantine
from smar.sources.split import query_id_of

# Spellings of actions seen in UBI logs -> ours. Anything else (impression, view) is no engagement.
_ACTIONS = {
    "click": "click",
    "item_click": "click",
    "product_click": "click",
    "add_to_cart": "add_to_cart",
    "addtocart": "add_to_cart",
    "add-to-cart": "add_to_cart",
    "cart": "add_to_cart",
    "purchase": "purchase",
    "buy": "purchase",
    "checkout": "purchase",
    "order": "purchase",
}
_TABLE_COLUMNS = ("query", "item_id", "action", "timestamp")
_MILLISECONDS = 10**11  # larger numbers are milliseconds since 1970, smaller ones seconds


@dataclass(frozen=True)
class SearchLog:
    """A log that was read.

    Args:
        searches: Columns of `schema.SEARCHES` and query (normalised text).
        engagements: Columns of `schema.ENGAGEMENTS`.
        ignored: Events that are no engagement, such as impressions.
    """

    searches: pd.DataFrame
    engagements: pd.DataFrame
    ignored: int


def read_log(
    folder: Path, params: LogParams, item_ids: set[str], quarantine: Quarantine
) -> SearchLog:
    """Return the searches and engagements of a log; bad rows go to the quarantine.

    Raises:
        DataError: If a file is missing, unreadable or lacks a column.
    """
    return _READERS[params.kind](folder, params, item_ids, quarantine)


def _read_none(
    folder: Path, params: LogParams, item_ids: set[str], quarantine: Quarantine
) -> SearchLog:
    searches = _frame([], ["row", "search_id", "client_id", "query", "timestamp", "shown"])
    events = _frame([], ["row", "search_id", "item_id", "action", "position", "timestamp"])
    return _clean(searches, events, item_ids, quarantine)


def _read_ubi(
    folder: Path, params: LogParams, item_ids: set[str], quarantine: Quarantine
) -> SearchLog:
    queries = [
        (
            row,
            _text(record.get("query_id")),
            _text(record.get("client_id")),
            _text(record.get("user_query")),
            record.get("timestamp"),
            _ids(record.get("query_response_hit_ids")),
        )
        for row, record in _records(folder / params.queries, "searches", quarantine)
    ]
    events = []
    for row, record in _records(folder / params.events, "engagements", quarantine):
        attributes = _mapping(record.get("event_attributes"))
        target = _mapping(attributes.get("object"))
        position = _mapping(attributes.get("position")).get("ordinal")
        events.append(
            (
                row,
                _text(record.get("query_id")),
                _text(target.get("object_id")),
                _text(record.get("action_name")),
                position,
                record.get("timestamp"),
            )
        )
    return _clean(
        _frame(queries, ["row", "search_id", "client_id", "query", "timestamp", "shown"]),
        _frame(events, ["row", "search_id", "item_id", "action", "position", "timestamp"]),
        item_ids,
        quarantine,
    )


def _read_plain_table(
    folder: Path, params: LogParams, item_ids: set[str], quarantine: Quarantine
) -> SearchLog:
    """Return a log of one row per engagement: one search per client, query and day."""
    path = folder / params.events
    raw = _read_frame(path)
    names = {name: params.columns.get(name, name) for name in (*_TABLE_COLUMNS, "client_id")}
    missing = [
        f"no column '{names[name]}' for {name}.{near_match(names[name], raw.columns)}"
        for name in _TABLE_COLUMNS
        if names[name] not in raw.columns
    ]
    if missing:
        headline = f"{path}: has columns {', '.join(raw.columns)}; set ingest.log.columns:"
        raise DataError(list_problems(headline, missing))
    frame = raw.rename(columns={theirs: ours for ours, theirs in names.items()})
    if "client_id" not in frame:
        frame["client_id"] = ""
    frame["row"] = range(1, len(frame) + 1)
    frame = frame.fillna({"query": "", "client_id": ""}).astype({"query": str, "client_id": str})
    day = _times(frame["timestamp"]).dt.strftime("%Y%m%d").fillna("")
    key = frame["client_id"] + "\t" + frame["query"].map(normalize_query) + "\t" + day
    frame["search_id"] = "s" + pd.Series(pd.factorize(key)[0], index=frame.index).astype(str)
    searches = frame.drop_duplicates("search_id")
    searches = searches.assign(shown=pd.Series([[]] * len(searches), index=searches.index))
    frame["position"] = None
    return _clean(
        searches[["row", "search_id", "client_id", "query", "timestamp", "shown"]],
        frame[["row", "search_id", "item_id", "action", "position", "timestamp"]],
        item_ids,
        quarantine,
    )


_READERS: dict[str, Callable[[Path, LogParams, set[str], Quarantine], SearchLog]] = {
    "none": _read_none,
    "ubi": _read_ubi,
    "table": _read_plain_table,
}


def _clean(
    searches: pd.DataFrame, events: pd.DataFrame, item_ids: set[str], quarantine: Quarantine
) -> SearchLog:
    quarantine.see("searches", len(searches))
    searches = searches.assign(
        query=searches["query"].map(normalize_query), time=_times(searches["timestamp"])
    )
    checks: list[tuple[str, str, Callable[[pd.DataFrame], pd.Series]]] = [
        ("search_id", "id is empty", lambda f: f["search_id"] == ""),
        ("search_id", "id is repeated", lambda f: f["search_id"].duplicated()),
        ("query", "query is empty", lambda f: f["query"] == ""),
        ("timestamp", "timestamp cannot be read", lambda f: f["time"].isna()),
    ]
    for column, reason, is_bad in checks:
        searches = quarantine.take(
            "searches", searches, is_bad(searches), key="search_id", column=column, reason=reason
        )
    searches = searches.assign(timestamp=searches["time"])
    searches["query_id"] = searches["query"].map(query_id_of)

    names = events["action"].astype(str).str.strip().str.lower().map(_ACTIONS)
    ignored = int(names.isna().sum())
    events = events.assign(action=names)[names.notna()]
    quarantine.see("engagements", len(events))
    events["time"] = _times(events["timestamp"])
    events["ordinal"] = pd.to_numeric(events["position"], errors="coerce")
    query_of = searches.set_index("search_id")["query_id"]
    checks = [
        ("search_id", "search is unknown", lambda f: ~f["search_id"].isin(query_of.index)),
        ("item_id", "item is unknown", lambda f: ~f["item_id"].astype(str).isin(item_ids)),
        ("timestamp", "timestamp cannot be read", lambda f: f["time"].isna()),
        ("position", "position is not a number >= 1", _bad_position),
    ]
    for column, reason, is_bad in checks:
        events = quarantine.take(
            "engagements", events, is_bad(events), key="search_id", column=column, reason=reason
        )
    engagements = pd.DataFrame(
        {
            "search_id": events["search_id"],
            "query_id": events["search_id"].map(query_of).astype(object),
            "item_id": events["item_id"].astype(str),
            "action": pd.Categorical(events["action"], categories=ACTIONS).astype(object),
            "position": events["ordinal"].astype("Int64"),
            "timestamp": events["time"],
        }
    )
    return SearchLog(
        searches.drop(columns=["row", "time"]).reset_index(drop=True),
        engagements.reset_index(drop=True),
        ignored,
    )


def _bad_position(frame: pd.DataFrame) -> pd.Series:
    given = frame["position"].notna()
    ordinal = frame["ordinal"]
    return given & (ordinal.isna() | (ordinal < 1) | (ordinal != ordinal.round()))


def _times(values: pd.Series) -> pd.Series:
    """Return UTC times from ISO texts or epoch seconds or milliseconds; NaT where unreadable."""
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    seconds = numbers.where(numbers.abs() < _MILLISECONDS, numbers / 1000)
    seconds = seconds.where(seconds.between(0, 4e9))
    of_numbers = pd.to_datetime(seconds, unit="s", utc=True)
    texts = values.where(numbers.isna())
    of_texts = pd.to_datetime(texts, utc=True, errors="coerce", format="ISO8601")
    return of_texts.fillna(of_numbers).astype("datetime64[us, UTC]")


def _records(
    path: Path, source: str, quarantine: Quarantine
) -> Iterable[tuple[int, dict[str, Any]]]:
    """Yield the records of an ndjson(.gz) or parquet file with their line numbers."""
    if path.suffix == ".parquet":
        for row, record in enumerate(_read_frame(path).to_dict("records"), start=1):
            yield row, {str(name): value for name, value in record.items()}
        return
    with _open_text(path) as lines:
        try:
            for row, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    parsed = json.loads(line)
                except ValueError:
                    parsed = None
                if isinstance(parsed, dict):
                    yield row, parsed
                else:
                    quarantine.see(source, 1)
                    quarantine.put(source, [(row, "", "line", "line is not a JSON object", line)])
        except (OSError, EOFError) as error:
            raise DataError(f"{path}: cannot be read to its end: {error}") from error


def _open_text(path: Path) -> IO[str]:
    if not path.is_file():
        raise DataError(
            f"{path}: no log there. Check ingest.folder and ingest.log in params.yaml, or set "
            "ingest.log.kind to none."
        )
    opener = gzip.open if path.suffix == ".gz" else open
    return opener(path, "rt", encoding="utf-8", errors="replace")


def _read_frame(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path}: no log there. Check ingest.folder and ingest.log in params.yaml.")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        separator = "\t" if ".tsv" in path.suffixes else ","
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: cannot be read as {path.suffix[1:]}: {error}") from error


def _frame(rows: list[tuple[Any, ...]], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns, dtype=object if not rows else None)


def _ids(value: object) -> list[str]:
    """Return item ids from a JSON list or an array of a parquet file; nothing gives none."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return []
    return [str(item) for item in value]


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
