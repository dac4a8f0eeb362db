"""The forms that judgements are kept in."""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from smar.errors import DataError, list_problems, near_match
from smar.params import JudgementParams
from smar.sources.encodings import AUTO, open_text
from smar.sources.quarantine import Quarantine
from smar.sources.raw_log import text_of
from smar.sources.tables import read_table

logger = logging.getLogger(__name__)

SOURCE = "judgements"
_SETTING = "ingest.judgements"
_QUERY_NAMES = {
    "query_id": ("query_id", "query-id", "_id", "qid", "id", "topic"),
    "query": ("query", "text", "search_term", "user_query", "query_text"),
}
_LABEL_NAMES = {
    "query_id": ("query_id", "query-id", "qid", "topic"),
    "query": ("query", "search_term", "user_query", "query_text"),
    "item_id": ("item_id", "docid", "doc_id", "corpus-id", "product_id", "product_uid", "sku"),
    "grade": ("grade", "rating", "score", "esci_label", "label", "relevance", "judgment", "rel"),
}
_FIRST_OF_HEADER = {"queryid", "qid", "topic", "id", "query"}


@dataclass
class RawJudgements:
    """Judgements as they were written.

    Args:
        queries: Rows of (row, query_id, query).
        labels: Rows of (row, query_id, item_id, grade), all texts.
    """

    queries: list[tuple[int, str, str]] = field(default_factory=list)
    labels: list[tuple[int, str, str, str]] = field(default_factory=list)


def read_files(folder: Path, params: JudgementParams, quarantine: Quarantine) -> RawJudgements:
    """Return the judgements of a folder in the form that `kind` says.

    Raises:
        DataError: If a file is missing, unreadable or lacks a column.
    """
    return _READERS[params.kind](folder, params, quarantine)


def id_of(text: str) -> str:
    """Return a query id: the text without blanks, which the files of TREC part fields by."""
    return "_".join(text.split())


def _read_none(folder: Path, params: JudgementParams, quarantine: Quarantine) -> RawJudgements:
    return RawJudgements()


def _read_trec(folder: Path, params: JudgementParams, quarantine: Quarantine) -> RawJudgements:
    """Return queries of `id <tab> text` and qrels of `query iteration item grade`, or of BEIR."""
    raw = RawJudgements()
    queries = folder / params.queries
    if ".jsonl" in queries.suffixes or ".json" in queries.suffixes or queries.suffix == ".parquet":
        rows = _table(queries, params, _QUERY_NAMES, quarantine)
        raw.queries += [(row, id_of(r["query_id"]), r["query"]) for row, r in rows]
    else:
        for row, line in _lines(queries):
            query_id, tab, text = line.partition("\t")
            if not tab:
                _bad(quarantine, row, "line has no tab between a query's id and its text", line)
            elif not (row == 1 and _is_header(line.split("\t"))):
                raw.queries.append((row, id_of(query_id), text))
    for row, line in _lines(folder / params.labels):
        fields = line.split("\t") if line.count("\t") in {2, 3} else line.split()
        if row == 1 and _is_header(fields):
            continue
        if len(fields) < 3:
            _bad(quarantine, row, "line has fewer fields than a qrel (query item grade)", line)
            continue
        # Of four fields the second says nothing; an item's id may have blanks.
        item = fields[1] if len(fields) == 3 else " ".join(fields[2:-1])
        raw.labels.append((row, id_of(fields[0]), item.strip(), fields[-1]))
    return raw


def _is_header(fields: list[str]) -> bool:
    """Return whether fields name columns: as BEIR's `query-id corpus-id score`."""
    first = re.sub(r"[\W_]", "", fields[0].lower())
    last = fields[-1].strip().lower()
    names = {n for names in (*_LABEL_NAMES.values(), *_QUERY_NAMES.values()) for n in names}
    return first in _FIRST_OF_HEADER and last in names


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    _expect(path)
    text = open_text(path, AUTO, f"{_SETTING}.encoding")
    for row, line in enumerate(text.lines(), start=1):
        if line.strip():
            yield row, line.strip("\r\n")
    for note in text.notes:
        logger.info("%s: %s", path, note)


def _bad(quarantine: Quarantine, row: int, reason: str, value: object) -> None:
    quarantine.see(SOURCE, 1)
    quarantine.put(SOURCE, [(row, "", "line", reason, value)])


def _read_table(folder: Path, params: JudgementParams, quarantine: Quarantine) -> RawJudgements:
    """Return a table of queries and a table of labels, which may be the same file."""
    raw = RawJudgements()
    rows = _table(folder / params.queries, params, _QUERY_NAMES, quarantine)
    raw.queries += [(row, id_of(r["query_id"]), r["query"]) for row, r in rows]
    names = {name: _LABEL_NAMES[name] for name in ("query_id", "item_id", "grade")}
    rows = _table(folder / params.labels, params, names, quarantine)
    raw.labels += [(row, id_of(r["query_id"]), r["item_id"], r["grade"]) for row, r in rows]
    return raw


def _read_examples(
    *, has_ids: bool
) -> Callable[[Path, JudgementParams, Quarantine], RawJudgements]:
    """Return a reader of one row per judged pair with the query's text."""
    wanted = {n: v for n, v in _LABEL_NAMES.items() if has_ids or n != "query_id"}

    def read(folder: Path, params: JudgementParams, quarantine: Quarantine) -> RawJudgements:
        raw = RawJudgements()
        for row, r in _table(folder / params.labels, params, wanted, quarantine):
            query_id = id_of(r.get("query_id") or r["query"])
            raw.queries.append((row, query_id, r["query"]))
            raw.labels.append((row, query_id, r["item_id"], r["grade"]))
        return raw

    return read


def _read_opensearch(
    folder: Path, params: JudgementParams, quarantine: Quarantine
) -> RawJudgements:
    """Return the judgement lists of OpenSearch's search relevance tools.

    `judgmentRatings`: [{query, ratings: [{docId, rating}]}], alone, or in documents of an index.
    """
    path = folder / params.labels
    _expect(path)
    text = "\n".join(open_text(path, AUTO, f"{_SETTING}.encoding").lines())
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path}: is not JSON ({error}), expected a judgement list.") from error
    raw = RawJudgements()
    for row, entry in enumerate(_entries(content), start=1):
        query = text_of(entry.get("query"))
        raw.queries.append((row, id_of(query), query))
        ratings = entry.get("ratings")
        for rating in ratings if isinstance(ratings, list) else []:
            if not isinstance(rating, dict):
                _bad(quarantine, row, "rating is not a JSON object", rating)
                continue
            grade = text_of(rating.get("rating", rating.get("score")))
            raw.labels.append((row, id_of(query), text_of(rating.get("docId")), grade))
    if not raw.queries:
        raise DataError(f"{path}: no judgmentRatings in it, expected a judgement list.")
    return raw


def _entries(content: object) -> Iterator[dict[str, Any]]:
    """Yield every object that has a query and its ratings, wherever it is."""
    if isinstance(content, list):
        for element in content:
            yield from _entries(element)
    elif isinstance(content, dict):
        if "query" in content and "ratings" in content:
            yield content
        else:
            for value in content.values():
                yield from _entries(value)


def _expect(path: Path) -> None:
    if not path.is_file():
        raise DataError(
            f"{path}: no judgements there. Check ingest.folder and {_SETTING} in params.yaml, or "
            f"set {_SETTING}.kind to none."
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path}: is empty.")


def _table(
    path: Path,
    params: JudgementParams,
    names: Mapping[str, tuple[str, ...]],
    quarantine: Quarantine,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a table under our names, of one split and locale where they are set."""
    _expect(path)
    table = read_table(path, setting=_SETTING)
    for note in table.notes:
        logger.info("%s: %s", path, note)
    for bad in table.bad:
        _bad(quarantine, bad.row, bad.reason, bad.value)
    columns = _columns(path, table.frame, params, names)
    chosen = _chosen(path, table.frame, params)
    values = [table.frame[theirs].tolist() for theirs in columns.values()]
    for row, keep, *cells in zip(table.rows, chosen, *values, strict=True):
        if keep:
            yield row, {n: text_of(cell) for n, cell in zip(columns, cells, strict=True)}


def _columns(
    path: Path,
    frame: pd.DataFrame,
    params: JudgementParams,
    names: Mapping[str, tuple[str, ...]],
) -> dict[str, str]:
    """Return the table's column for each of ours."""
    plain = {_plain(name): str(name) for name in reversed(frame.columns)}
    columns, missing = {}, []
    for ours, theirs in names.items():
        wanted = params.columns.get(ours)
        options = [wanted] if wanted else theirs
        found = next((plain[_plain(n)] for n in options if _plain(n) in plain), None)
        if found is None:
            name = wanted or ours
            missing.append(f"no column '{name}' for {ours}.{near_match(name, plain)}")
        else:
            columns[ours] = found
    if missing:
        headline = f"{path}: has columns {', '.join(map(str, frame.columns))}; set {_SETTING}."
        raise DataError(list_problems(headline + "columns:", missing))
    return columns


def _plain(name: object) -> str:
    return re.sub(r"[\s-]", "_", str(name).strip().lower())


def _chosen(path: Path, frame: pd.DataFrame, params: JudgementParams) -> pd.Series:
    """Return which rows are of the split and the locale that are set."""
    keep = pd.Series(True, index=frame.index)
    plain = {_plain(name): name for name in frame.columns}
    for setting, names in (("split", ("split",)), ("locale", ("product_locale", "locale"))):
        wanted = getattr(params, setting)
        column = next((plain[name] for name in names if name in plain), None)
        if not wanted or column is None:
            continue
        values = frame[column].map(text_of)
        keep &= values == wanted
        if not (values == wanted).any():
            raise DataError(
                f"{path}: no row with {column} '{wanted}', only {', '.join(sorted(set(values)))}. "
                f"Check {_SETTING}.{setting} in params.yaml."
            )
    return keep


_READERS: dict[str, Callable[[Path, JudgementParams, Quarantine], RawJudgements]] = {
    "none": _read_none,
    "trec": _read_trec,
    "beir": _read_trec,
    "esci": _read_examples(has_ids=True),
    "table": _read_table,
    "wands": _read_table,
    "home_depot": _read_examples(has_ids=False),
    "quepid": _read_examples(has_ids=False),
    "opensearch": _read_opensearch,
}
