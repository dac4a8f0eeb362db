"""A log as a plain table: one row per engagement, search or impression."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from smar.data.schema import normalize_query
from smar.errors import DataError, list_problems, near_match
from smar.params import LogParams
from smar.sources.actions import NONE, Actions
from smar.sources.log_files import log_files
from smar.sources.log_kept import KeptLog, LogPart, joined
from smar.sources.quarantine import Quarantine
from smar.sources.raw_log import RawLog, text_of
from smar.sources.tables import Table, read_table
from smar.sources.times import parse_times

logger = logging.getLogger(__name__)

SOURCE = "engagements"
# Our column -> the names it is read from, the first that the table has.
_NAMES: dict[str, tuple[str, ...]] = {
    "query": ("query", "user_query", "search_term", "search_query", "search_keyword", "keyword"),
    "item_id": ("item_id", "product_id", "object_id", "sku", "doc_id", "docid", "item", "product"),
    "action": ("action", "action_name", "event_name", "event", "event_type"),
    "timestamp": ("timestamp", "event_timestamp", "timestamp_micros", "event_time", "time",
                  "datetime", "created_at", "date", "event_date"),
    "client_id": ("client_id", "user_pseudo_id", "visitor_id", "session_id", "ga_session_id",
                  "user_id"),
    "search_id": ("search_id", "query_id"),
    "position": ("position", "rank", "item_list_index", "index"),
}  # fmt: skip
_REQUIRED = ("query", "item_id", "action")


def read_log_table(
    folder: Path, params: LogParams, quarantine: Quarantine, kept: Path | None = None
) -> RawLog:
    """Return the rows of a table, and a search for each search id, or client, query and day.

    What `kept` has of its files is not read again.

    Raises:
        DataError: If a file is missing or unreadable, or lacks a column; names near ones.
    """
    actions = Actions(params.actions)
    told = [sorted(params.actions.items()), sorted(params.columns.items())]
    earlier = KeptLog(kept, __name__, told)
    parts = [
        earlier.part(path, partial(_read_file, path, params, actions))
        for path in log_files(folder, params.events)
    ]
    earlier.forget_others()
    log = joined(parts, quarantine)
    _add_searches(log, params.dates)
    return log


def _read_file(path: Path, params: LogParams, actions: Actions) -> LogPart:
    part = LogPart()
    table = read_table(path, setting="ingest.log")
    for note in table.notes:
        logger.info("%s: %s", path, note)
    bad = [(b.row, path.name, "row", b.reason, b.value) for b in table.bad]
    part.quarantine.see(SOURCE, len(bad))
    part.quarantine.put(SOURCE, bad)
    _add_rows(part.log, table, _columns(path, table.frame, params), actions)
    return part


def _columns(path: Path, frame: pd.DataFrame, params: LogParams) -> dict[str, str]:
    """Return the table's column for each of ours that it has."""
    plain = {_plain(name): str(name) for name in reversed(frame.columns)}
    columns, problems = {}, []
    for ours, names in _NAMES.items():
        wanted = params.columns.get(ours)
        found = next((plain[_plain(n)] for n in [wanted or "", *names] if _plain(n) in plain), "")
        if wanted and _plain(wanted) not in plain:
            near = near_match(wanted, map(str, frame.columns))
            problems.append(f"no column '{wanted}' for {ours}.{near}")
        elif not found and ours in _REQUIRED:
            near = near_match(ours, map(str, frame.columns))
            problems.append(f"no column '{ours}' for {ours}.{near}")
        elif found:
            columns[ours] = found
    problems += [
        f"ingest.log.columns.{name}: not one of {', '.join(_NAMES)}.{near_match(name, _NAMES)}"
        for name in params.columns
        if name not in _NAMES
    ]
    if problems:
        headline = f"{path}: has columns {', '.join(map(str, frame.columns))}; set "
        raise DataError(list_problems(headline + "ingest.log.columns:", problems))
    used = ", ".join(f"{ours} from {theirs}" for ours, theirs in columns.items())
    logger.info("%s: %s", path, used)
    return columns


def _plain(name: object) -> str:
    return str(name).strip().lower().replace(" ", "_").replace("-", "_")


def _add_rows(log: RawLog, table: Table, columns: dict[str, str], actions: Actions) -> None:
    empty = [""] * len(table.frame)
    values: dict[str, Sequence[object]] = {
        ours: table.frame[columns[ours]].tolist() if ours in columns else empty for ours in _NAMES
    }
    for row, client, query, time, item, action, position, search in zip(
        table.rows, values["client_id"], values["query"], values["timestamp"], values["item_id"],
        values["action"], values["position"], values["search_id"], strict=True,
    ):  # fmt: skip
        name = text_of(action)
        meaning = actions.meaning(name)
        item_id = text_of(item)
        if meaning == NONE:
            log.others[name or "(no action)"] += 1
        log.events.add(
            (row, text_of(search), text_of(client), "", text_of(query), text_of(time), item_id,
             meaning, text_of(position))
        )  # fmt: skip


def _add_searches(log: RawLog, dates: str) -> None:
    """Put a search id to every row without one, and make the searches of them all."""
    table = log.events.table()
    frame = table.to_pandas()
    texts = {text: normalize_query(text) for text in frame["query"].unique()}
    day = parse_times(frame["timestamp"], dates)
    days = day.times.dt.strftime("%Y%m%d").fillna("")
    key = frame["client_id"] + "\t" + frame["query"].map(texts).astype(str) + "\t" + days
    numbered = "s" + pd.Series(pd.factorize(key)[0], index=frame.index).astype(str)
    frame["search_id"] = frame["search_id"].where(frame["search_id"] != "", numbered)
    frame["timestamp"] = frame["timestamp"].where(day.reason == "", "")
    ordered = frame.assign(time=day.times).sort_values("time", kind="stable")
    first = ordered.drop_duplicates(["search_id", "query"]).sort_index()
    columns = ["row", "search_id", "client_id", "application", "query", "timestamp"]
    for record in first[columns].itertuples(index=False, name=None):
        log.queries.add((*record, []))
    log.events.replace("search_id", frame["search_id"])
