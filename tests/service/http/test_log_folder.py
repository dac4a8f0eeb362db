"""The log goes to where ingest reads it, and to no place where it would only make ingest stale."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from smar.service.http.listening import say_who_reads
from smar.service.http.log_folder import log_folder
from smar.service.http.settings import Settings

Change = Callable[[Path, dict[str, Any]], None]


@pytest.fixture
def root(tmp_path: Path, small_parameters: Path) -> Path:
    (tmp_path / "params.yaml").write_bytes(small_parameters.read_bytes())
    (tmp_path / "data/raw/days").mkdir(parents=True)
    (tmp_path / "data/raw/all.ndjson").touch()
    (tmp_path / "data/raw/all").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("log", "folder", "is_read"),
    [
        ({"kind": "ubi", "queries": "ubi", "events": "ubi"}, "data/raw/ubi", True),
        ({"kind": "ubi", "queries": "", "events": "a/ubi/"}, "data/raw/a/ubi", True),
        ({"kind": "ubi", "queries": "days", "events": "days"}, "data/raw/days", True),
        ({"kind": "ubi", "queries": "days/*.ndjson", "events": ""}, "data/raw/days", True),
        ({"kind": "ubi", "queries": "all.ndjson", "events": "days"}, "data/raw/days", True),
        ({"kind": "ubi", "queries": "days/*.gz", "events": ""}, ".smar/ubi", False),
        ({"kind": "ubi", "queries": "*/ubi-*", "events": ""}, ".smar/ubi", False),
        ({"kind": "ubi", "queries": "all.ndjson", "events": "all"}, ".smar/ubi", False),
        ({"kind": "ubi", "queries": "not-there.ndjson", "events": ""}, ".smar/ubi", False),
        ({"kind": "table", "queries": "", "events": "days"}, ".smar/ubi", False),
        ({"kind": "none"}, ".smar/ubi", False),
    ],
)
def test_folder_is_the_one_that_ingest_reads(
    root: Path, change_params: Change, log: dict[str, Any], folder: str, is_read: bool
):
    change_params(root, {"ingest.source": "feed", "ingest.log": log})
    assert log_folder(root) == (root / folder, is_read)
    change_params(root, {"ingest.source": "demo"})
    assert log_folder(root) == (root / ".smar/ubi", False)


def test_folder_that_is_named_stays_and_is_said_not_to_be_read(
    root: Path, change_params: Change, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    change_params(root, {"ingest.source": "feed", "ingest.log": {"kind": "ubi", "queries": "ubi"}})
    assert log_folder(root, "ubi") == (root / "data/raw/ubi", True)
    say_who_reads(root, Settings())
    assert caplog.messages == []
    assert log_folder(root, "other") == (root / "data/raw/other", False)
    say_who_reads(root, Settings(log_folder="other"))
    (line,) = caplog.messages
    assert "data/raw/other, which ingest does not read" in line
    assert "{kind: ubi, queries: other, events: other}" in line
    say_who_reads(root, Settings(log_folder="other", log=False))
    assert caplog.messages == [line]


def test_serving_the_demo_changes_nothing_that_ingest_depends_on(
    serve: Callable[..., TestClient], small_project: Path
):
    raw = small_project / "data/raw"

    def below() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in raw.rglob("*") if p.is_file()} if raw.exists() else {}

    before, was_there = below(), raw.exists()
    client = serve()
    client.get("/search?q=lamp&limit=2")
    assert client.post("/ubi_events", json=[{"action_name": "click"}]).status_code == 200
    closed = client.post("/log/close", json={}).json()["file"]
    assert (small_project / ".smar/ubi" / closed).is_file()
    assert (below(), raw.exists()) == (before, was_there)
