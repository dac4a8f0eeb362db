"""A log that was joined before: taken as it is, gone on with, or joined as a whole."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from smar.params import LogParams
from smar.sources import joined_kept
from smar.sources.joined_kept import kept_log
from smar.sources.kept_outputs import KeptOutputs
from smar.sources.quarantine import Quarantine

ITEMS = pa.array(["a", "b", "C"])
PARAMS = LogParams(kind="ubi", queries="log/q-*", events="log/e-*", columns={})
BOTH = PARAMS.model_copy(update={"queries": "log", "events": "log"})


def write_day(folder: Path, day: int, rng: random.Random, *, late: bool = False) -> None:
    """Write the files of a day, of which some events are of the searches of the day before."""
    queries, events = [], []
    searches = [(day, number) for number in range(rng.randint(2, 5))]
    for of, number in [*searches, *([(day - 1, 0)] if late else [])]:
        who = {"query_id": f"s{of}-{number}", "client_id": f"c{number}", "application": "web"}
        when = f"2026-09-{day + 1:02d}T10:00:{rng.randint(10, 59)}Z"
        text = rng.choice(["Red boot", "sofa", "a lamp"])
        if of == day:
            hits = {"user_query": text, "query_response_hit_ids": rng.sample(["a", "b", "c"], 2)}
            queries.append(who | hits | {"timestamp": when})
        attributes = {"object": {"object_id": rng.choice(["a", "b", "gone"])}}
        attributes["position"] = {"ordinal": rng.randint(1, 3)}  # type: ignore[dict-item]
        told = {"action_name": rng.choice(["click", "impression", "scroll"])}
        events.append(who | told | {"timestamp": when, "event_attributes": attributes})
    (folder / "log").mkdir(parents=True, exist_ok=True)
    for name, rows in (("q", queries), ("e", events)):
        lines = [json.dumps(row) for row in rows] + ["{ no json"]
        (folder / "log" / f"{name}-{day:02d}.ndjson").write_text("\n".join([*lines, ""]))


def read(
    folder: Path, *, kept: bool = True, items: pa.Array = ITEMS, params: LogParams = PARAMS
) -> tuple[Any, ...]:
    """Return all that a log says, read with what is kept or without."""
    work, quarantine = folder / "work", Quarantine()
    outputs = KeptOutputs(work / "tables" if kept else None)
    log = kept_log(folder, params, items, quarantine, work if kept else None, outputs)
    outputs.forget_others()
    content = []
    for output in (log.searches, log.engagements):
        output.write(folder / "table.parquet")
        content.append((folder / "table.parquet").read_bytes())
    left_out = quarantine.frame().to_dict("records")
    return (*content, log.texts.to_pylist(), log.facts.details(), quarantine.totals, left_out)


@pytest.fixture
def joins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what grows by each way in which a log is joined."""
    seen: list[str] = []
    for name in ("grown", "joined_whole"):
        join = getattr(joined_kept, name)

        def spy(*args: Any, join: Callable[..., Any] = join, name: str = name) -> Any:
            found = join(*args)
            seen.append(name if found is not None else f"not {name}")
            return found

        monkeypatch.setattr(joined_kept, name, spy)
    return seen


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """A log of three days that was read."""
    for day in (1, 2, 3):
        write_day(tmp_path, day, random.Random(day))
    read(tmp_path)
    return tmp_path


def rewritten(folder: Path) -> None:
    path = folder / "log" / "q-02.ndjson"
    path.write_text(path.read_text().replace("c1", "c9"))


WAYS: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    "nothing": (lambda _: None, []),
    "a day": (lambda f: write_day(f, 4, random.Random(4)), ["grown"]),
    "two days": (lambda f: [write_day(f, n, random.Random(n)) for n in (4, 5)], ["grown"]),
    "a day with clicks of before": (
        lambda f: write_day(f, 4, random.Random(6), late=True), ["grown"]
    ),
    "a day before all others": (lambda f: write_day(f, 0, random.Random(4)), ["joined_whole"]),
    "another day": (rewritten, ["joined_whole"]),
    "a day goes": (lambda f: (f / "log" / "q-01.ndjson").unlink(), ["joined_whole"]),
    "a day comes and one goes": (
        lambda f: [(f / "log" / "e-01.ndjson").rename(f / "log" / "e-04.ndjson")],
        ["joined_whole"],
    ),
    "an empty file": (lambda f: (f / "log" / "q-00.ndjson").write_text(""), ["grown"]),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_log_is_joined_as_far_as_it_must_be(days: Path, joins: list[str], way: str):
    change, expected = WAYS[way]
    change(days)
    found = read(days)
    assert joins == expected
    assert found == read(days, kept=False)
    joins.clear()
    assert read(days) == found
    assert joins == []
    assert len(list((days / "work" / "joined").iterdir())) == 1
    assert len(list((days / "work" / "tables").iterdir())) == 2


def test_days_that_come_one_by_one_are_the_log_read_at_once(tmp_path: Path, joins: list[str]):
    rng = random.Random(1)
    for day in range(1, 7):
        write_day(tmp_path, day, rng, late=day > 1)
        found = read(tmp_path)
    assert joins == ["joined_whole", *["grown"] * 5]
    assert found == read(tmp_path, kept=False)


def test_files_of_searches_and_events_are_gone_on_with_in_their_order(
    tmp_path: Path, joins: list[str]
):
    for day in (1, 2):
        write_day(tmp_path, day, random.Random(day))
    read(tmp_path, params=BOTH)  # by name: events of all days, then searches
    write_day(tmp_path, 3, random.Random(3))
    assert read(tmp_path, params=BOTH) == read(tmp_path, kept=False, params=BOTH)
    assert joins == ["joined_whole", "grown", "joined_whole"]


def test_other_items_join_all_anew(days: Path, joins: list[str]):
    write_day(days, 4, random.Random(4))
    items = pa.array(["a", "b"])
    assert read(days, items=items) == read(days, kept=False, items=items)
    assert joins == ["joined_whole", "joined_whole"]


def test_file_that_breaks_off_is_not_kept(days: Path, joins: list[str]):
    (days / "log" / "e-04.ndjson").write_bytes(b"\x1f\x8b\x08\x00 no more")
    for _ in range(2):
        assert read(days) == read(days, kept=False)
    assert joins == ["joined_whole"] * 4


@pytest.mark.parametrize("folder", ["joined", "tables"])
def test_damage_joins_all_anew(days: Path, joins: list[str], folder: str):
    for file in (days / "work" / folder).iterdir():
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    write_day(days, 4, random.Random(4))
    assert read(days) == read(days, kept=False)
    assert joins == ["joined_whole", "joined_whole"]


def test_what_other_code_kept_is_not_read_and_goes(
    days: Path, joins: list[str], caplog: pytest.LogCaptureFixture
):
    (kept,) = (days / "work" / "joined").iterdir()
    kept.unlink()
    (kept.parent / f"{'0' * 16}-{'0' * 32}.arrow").write_bytes(b"in another format")
    read(days)
    assert joins == ["joined_whole"]
    assert [file.name for file in kept.parent.iterdir()] == [kept.name]
    assert not caplog.messages


def test_log_of_another_folder_is_not_gone_on_with(days: Path, tmp_path: Path, joins: list[str]):
    other = tmp_path / "other"
    for day in (7, 8):
        write_day(other, day, random.Random(day))
    shutil.copytree(days / "work", other / "work")
    assert read(other) == read(other, kept=False)
    assert joins == ["joined_whole", "joined_whole"]
