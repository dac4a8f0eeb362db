"""What logs are kept in: one record a line and everything else that exporters write."""

import bz2
import codecs
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from smar.errors import DataError
from smar.params import LogParams
from smar.sources.log_files import log_files
from smar.sources.log_records import read_records
from smar.sources.quarantine import Quarantine
from smar.sources.ubi import read_ubi

EVENTS_ONLY = LogParams(kind="ubi", queries="", events="e", columns={})
RECORDS = [{"query_id": str(n), "user_query": f"red boot {n}"} for n in range(300)]
LINES = "".join(json.dumps(record) + "\n" for record in RECORDS).encode()


def records(path: Path, content: bytes) -> tuple[list[dict[str, Any]], Quarantine]:
    path.write_bytes(content)
    quarantine = Quarantine()
    return [record for _, record in read_records(path, "searches", quarantine)], quarantine


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as file:
        file.write(content)
    return sink.getvalue().to_pybytes()


FORMS = {
    "lines": LINES,
    "windows": codecs.BOM_UTF8 + LINES.replace(b"\n", b"\r\n"),
    "utf-16": codecs.BOM_UTF16_LE + LINES.decode().encode("utf-16-le"),
    "gzip": gzip.compress(LINES),
    "gzip members": gzip.compress(LINES[:7000]) + gzip.compress(LINES[7000:]),
    "bzip2": bz2.compress(LINES),
    "xz": lzma.compress(LINES),
    "zstd": zstd(LINES),
    "array": json.dumps(RECORDS).encode(),
    "array of lines": b"[\n" + b",\n".join(LINES.splitlines()) + b"\n]\n",
    "printed array": json.dumps(RECORDS, indent=2).encode(),
    "printed records": "\n".join(json.dumps(r, indent=2) for r in RECORDS).encode(),
    "bulk": b"".join(b'{"index": {"_index": "q"}}\n' + line for line in LINES.splitlines(True)),
    "search response": json.dumps({"hits": {"hits": [{"_source": r} for r in RECORDS]}}).encode(),
    "elasticdump": b"".join(b'{"_id": "1", "_source": %s}\n' % x for x in LINES.splitlines()),
    "joined without a line end": LINES[:-1].replace(b"}\n", b"}", 1),
    "record separators": b"".join(b"\x1e" + line for line in LINES.splitlines(True)),
    "zeros before": b"\0" * 100 + LINES,
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_records_are_the_same_in_every_form(tmp_path: Path, form: str):
    found, quarantine = records(tmp_path / "log", FORMS[form])
    assert found == RECORDS
    assert quarantine.frame().empty


@pytest.mark.parametrize("form", ["lines", "gzip", "printed array"])
def test_cut_file_is_read_as_far_as_it_goes_and_said(tmp_path: Path, form: str):
    content = FORMS[form]
    found, quarantine = records(tmp_path / "log", content[: len(content) * 2 // 3])
    assert 100 < len(found) < 300
    assert found == RECORDS[: len(found)]
    assert set(quarantine.frame()["source"]) == {"log files"}
    quarantine.check(0, 0, {})  # a log in writing is no bad log


def test_zeros_of_a_machine_that_went_down_are_a_cut(tmp_path: Path):
    found, quarantine = records(tmp_path / "log", LINES + b"\0" * 500)
    assert found == RECORDS
    assert quarantine.frame()["source"].tolist() == ["log files"]


def test_line_that_is_no_record_costs_only_itself(tmp_path: Path):
    found, quarantine = records(tmp_path / "log", b"oops\n" + LINES + b"[1]\n3\n")
    assert found == RECORDS
    assert quarantine.counts() == {"searches: line is not a JSON object": 3}


def test_half_a_character_and_not_a_number_are_read(tmp_path: Path):
    lines = b'{"query_id": "a", "user_query": "boot \\ud83d", "timestamp": NaN}\n'
    lines += b'{"query_id": "caf\xe9"}'
    found, _ = records(tmp_path / "log", lines)
    assert found[1] == {"query_id": "café"}
    (tmp_path / "log").write_bytes(lines)
    log = read_ubi(
        tmp_path, LogParams(kind="ubi", queries="log", events="", columns={}), Quarantine()
    )
    assert log.queries.table()["query"].to_pylist() == ["boot", ""]


def test_settings_name_files_folders_and_globs(tmp_path: Path):
    for name in (
        "a/1.ndjson",
        "a/dt=2/part-0.parquet",
        "a/_SUCCESS",
        "a/.part-0.crc",
        "b-1.gz",
        "b-2.gz",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    names = [str(p.relative_to(tmp_path)) for p in log_files(tmp_path, "a", "b-*.gz", "b-1.gz")]
    assert names == ["a/1.ndjson", "a/dt=2/part-0.parquet", "b-1.gz", "b-2.gz"]
    (tmp_path / "empty").mkdir()
    assert log_files(tmp_path, "empty") == []


@pytest.mark.parametrize("settings", [("c", "*.x"), ("", "")])
def test_settings_that_name_nothing_are_refused_all_at_once(
    tmp_path: Path, settings: tuple[str, ...]
):
    with pytest.raises(DataError, match=r"ingest\.log") as refusal:
        log_files(tmp_path, *settings)
    assert str(refusal.value).count("no log there") == len([s for s in settings if s])


def test_parquet_that_cannot_be_opened_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="cannot be read as parquet"):
        records(tmp_path / "log", b"PAR1 and no more")


EVENT = {
    "action_name": "purchase", "query_id": 12, "timestamp": pd.Timestamp("2026-09-01"),
    "event_attributes": {"object": {"object_id": "p1"}, "position": {"ordinal": 3}},
}  # fmt: skip
SAME = {
    "structs": [EVENT],
    "a null beside": [EVENT, {**EVENT, "query_id": None}],
    "json text": [{**EVENT, "event_attributes": json.dumps(EVENT["event_attributes"])}],
    "flat": [
        {"action_name": "purchase", "query_id": 12, "timestamp": "2026-09-01T00:00:00",
         "event_attributes.object.object_id": "p1", "event_attributes.position.ordinal": 3.0}
    ],
}  # fmt: skip


@pytest.mark.parametrize("form", SAME)
def test_events_of_parquet_in_every_form(tmp_path: Path, form: str):
    table = pa.Table.from_pylist(SAME[form])
    import pyarrow.parquet as pq

    pq.write_table(table, tmp_path / "e")
    log = read_ubi(tmp_path, EVENTS_ONLY, Quarantine())
    first = log.events.table().to_pylist()[0]
    wanted = {"search_id": "12", "item_id": "p1", "action": "purchase", "position": "3",
              "timestamp": "2026-09-01T00:00:00"}  # fmt: skip
    assert {name: first[name] for name in wanted} == wanted


def test_one_event_may_name_several_items(tmp_path: Path):
    """A purchase of GA4 has its items in a list, each with its place."""
    items = [{"item_id": "p1", "index": 2}, {"item_id": "p2"}]
    record = {"action_name": "purchase", "query_id": "1", "event_attributes": {"items": items}}
    (tmp_path / "e").write_text(json.dumps(record))
    log = read_ubi(tmp_path, EVENTS_ONLY, Quarantine())
    assert log.events.table()["item_id"].to_pylist() == ["p1", "p2"]


def test_exchanged_files_and_records_of_no_kind(tmp_path: Path):
    (tmp_path / "q").write_text(json.dumps({k: str(v) for k, v in EVENT.items()}) + "\n{}")
    (tmp_path / "e").write_bytes(LINES)
    log = read_ubi(
        tmp_path, LogParams(kind="ubi", queries="q", events="e", columns={}), Quarantine()
    )
    assert (log.queries.table().num_rows, log.events.table().num_rows) == (301, 1)
    quarantine = Quarantine()
    (tmp_path / "both").write_text('{"a": 1}')
    read_ubi(tmp_path, LogParams(kind="ubi", queries="both", events="both", columns={}), quarantine)
    assert quarantine.frame()["reason"].tolist() == ["record is neither a query nor an event"]
