"""Files of a log that were read before: what they said, when they are read anew, and damage."""

import gzip
import json
import logging
import random
from pathlib import Path
from typing import Any

import pytest

from smar.params import LogParams
from smar.sources import log_table, ubi
from smar.sources.quarantine import Quarantine
from smar.sources.search_log import SearchLog, read_log

ITEMS = {"a", "b", "c"}
UBI = LogParams(kind="ubi", queries="log/q-*", events="log/e-*", columns={})
TABLE = LogParams(kind="table", queries="", events="log/t-*", columns={})
Said = tuple[Any, ...]


def lines_of(rng: random.Random, day: int) -> tuple[list[str], list[str]]:
    queries, events = [], []
    for number in range(rng.randint(0, 4)):
        who = {"query_id": f"s{day}-{number}", "client_id": f"c{rng.randint(0, 3)}"}
        when = f"2026-09-{day + 1:02d}T10:00:{rng.randint(10, 59)}+00:00"
        shown = rng.sample(sorted(ITEMS), 2)
        said = {"user_query": rng.choice(["Red boot", "sofa", ""]), "timestamp": when}
        queries.append(json.dumps(who | said | {"query_response_hit_ids": shown}))
        for _ in range(rng.randint(0, 3)):
            item, action = rng.choice([*ITEMS, "gone"]), rng.choice(["click", "purchase", "scroll"])
            attributes = {"object": {"object_id": item}, "position": {"ordinal": 1}}
            record = {"action_name": action, "timestamp": when, "event_attributes": attributes}
            events.append(json.dumps(who | record))
    if rng.random() < 0.3:
        events.append("{ no json")
    return queries, events


def write(path: Path, lines: list[str], *, is_cut: bool = False) -> None:
    path.parent.mkdir(exist_ok=True)
    content = gzip.compress("\n".join([*lines, ""]).encode(), mtime=0)
    path.write_bytes(content[:-6] if is_cut else content)


def write_day(folder: Path, rng: random.Random, day: int) -> None:
    queries, events = lines_of(rng, day)
    write(folder / "log" / f"q-{day}.ndjson.gz", queries)
    write(folder / "log" / f"e-{day}.ndjson.gz", events, is_cut=rng.random() < 0.1)


def said(folder: Path, params: LogParams, kept: Path | None) -> Said:
    quarantine = Quarantine()
    log: SearchLog = read_log(folder, params, ITEMS, quarantine, kept)
    tables = [
        frame.to_json(date_format="iso", date_unit="us")
        for frame in (log.searches, log.engagements, quarantine.frame())
    ]
    return (*tables, log.details(), quarantine.totals)


def files_read(monkeypatch: pytest.MonkeyPatch, module: Any) -> list[str]:
    names: list[str] = []
    read = module._read_file

    def noted(path: Path, *rest: Any) -> Any:
        names.append(path.name)
        return read(path, *rest)

    monkeypatch.setattr(module, "_read_file", noted)
    return names


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.whole) for seed in range(1, 6))]
)
def test_log_that_changes_says_what_a_log_read_whole_says(tmp_path: Path, seed: int):
    rng = random.Random(seed)
    folder, kept = tmp_path / "raw", tmp_path / "kept"
    folder.mkdir()
    write_day(folder, rng, 0)
    for step in range(1, 6):
        days = sorted(folder.glob("log/q-*"))
        match rng.choice(["add", "change", "swap", "drop"]):
            case "change":
                write_day(folder, rng, rng.randrange(step))
            case "drop" if len(days) > 1:
                rng.choice(days).unlink()
            case "swap" if len(days) > 1:
                one, other = rng.sample(days, 2)
                contents = one.read_bytes(), other.read_bytes()
                other.write_bytes(contents[0])
                one.write_bytes(contents[1])
            case _:
                write_day(folder, rng, step)
        assert said(folder, UBI, kept) == said(folder, UBI, None)


def test_new_day_alone_is_read_and_what_is_gone_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rng, kept = random.Random(1), tmp_path / "kept"
    for day in range(3):
        write_day(tmp_path, rng, day)
    said(tmp_path, UBI, kept)
    assert len(list(kept.iterdir())) == 6
    names = files_read(monkeypatch, ubi)
    said(tmp_path, UBI, kept)
    assert names == []
    write_day(tmp_path, rng, 3)
    said(tmp_path, UBI, kept)
    assert sorted(names) == ["e-3.ndjson.gz", "q-3.ndjson.gz"]
    for path in tmp_path.glob("log/*-0.*"):
        path.unlink()
    said(tmp_path, UBI, kept)
    assert len(list(kept.iterdir())) == 6
    assert len(names) == 2


def test_other_settings_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_day(tmp_path, random.Random(2), 0)
    said(tmp_path, UBI, tmp_path / "kept")
    names = files_read(monkeypatch, ubi)
    other = UBI.model_copy(update={"actions": {"scroll": "click"}})
    assert said(tmp_path, other, tmp_path / "kept") == said(tmp_path, other, None)
    assert names[:2] == ["q-0.ndjson.gz", "e-0.ndjson.gz"]


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "foreign"])
def test_damage_is_read_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str, monkeypatch: pytest.MonkeyPatch
):
    write_day(tmp_path, random.Random(3), 0)
    kept = tmp_path / "kept"
    whole = said(tmp_path, UBI, kept)
    for file in kept.iterdir():
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        damaged = {"flipped": bytes(content), "cut": bytes(content[:-9]), "empty": b""}
        file.write_bytes(damaged.get(damage, b"no arrow" * 99))
    names = files_read(monkeypatch, ubi)
    with caplog.at_level(logging.WARNING):
        assert said(tmp_path, UBI, kept) == whole
    assert "is read anew" in caplog.text
    assert len(names) == 2
    assert said(tmp_path, UBI, kept) == whole
    assert len(names) == 2


def test_file_that_broke_off_is_told_again(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    queries, events = lines_of(random.Random(5), 0)
    write(tmp_path / "log" / "q-0.gz", queries, is_cut=True)
    write(tmp_path / "log" / "e-0.gz", events)
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            said(tmp_path, UBI, tmp_path / "kept")
        assert "file breaks off" in caplog.text


def test_table_is_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    header = "query,item_id,action,timestamp,client_id\n"
    for day in (1, 2):
        path = tmp_path / "log" / f"t-{day}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{header}red boot,a,click,2026-09-0{day}T10:00:00Z,c\nsofa,b\n")
    whole = said(tmp_path, TABLE, None)
    assert said(tmp_path, TABLE, tmp_path / "kept") == whole
    names = files_read(monkeypatch, log_table)
    assert said(tmp_path, TABLE, tmp_path / "kept") == whole
    assert names == []
    changed = TABLE.model_copy(update={"columns": {"query": "client_id"}})
    said(tmp_path, changed, tmp_path / "kept")
    assert names == ["t-1.csv", "t-2.csv"]
