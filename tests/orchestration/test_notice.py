"""Notices: one request each to the webhook, nothing without one."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._utils.error import SerializableErrorInfo

from dagster_dvc.assets import build_assets
from dagster_dvc.repository import Repository
from dagster_dvc.resources import DvcResource
from dagster_dvc.translator import DvcTranslator
from orchestration import notice
from orchestration.news import failed_ticks
from orchestration.notice import VARIABLE, build_failure_notice, build_news, own_words
from tests.test_repro import run


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server on this machine that keeps what is posted to it."""
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", received
    server.shutdown()
    thread.join()
    server.server_close()


@dg.op
def fails() -> None:
    raise ValueError("the price is negative")


@dg.job
def doomed() -> None:
    fails()


def failed_run(instance: dg.DagsterInstance, job: dg.JobDefinition = doomed) -> Any:
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    return dg.build_run_status_sensor_context(
        sensor_name="failure_notice",
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=result.get_run_failure_event(),
    ).for_run_failure()


def test_failed_run_is_posted(
    instance: dg.DagsterInstance,
    webhook: tuple[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
):
    url, received = webhook
    monkeypatch.setenv(VARIABLE, url)
    monkeypatch.setenv("SMAR_UI_URL", "https://dagster.example")
    context = failed_run(instance)
    build_failure_notice()(context)
    assert len(received) == 1
    assert received[0]["subject"] == "stage fails (job doomed)"
    assert "ValueError: the price is negative" in received[0]["reason"]
    assert received[0]["link"] == f"https://dagster.example/runs/{context.dagster_run.run_id}"
    assert received[0]["text"].startswith("failed run: stage fails (job doomed): ")
    assert received[0]["text"].endswith(received[0]["link"])


def test_stage_that_failed_is_quoted(
    instance: dg.DagsterInstance,
    webhook: tuple[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    """A run of Materialize whose stage ends with a message, through DVC."""
    url, received = webhook
    monkeypatch.setenv(VARIABLE, url)
    words = "smar bad: 1 of 2 rules stop the work:\\n  - prices: expected above 0; saw -3"
    stage = {"cmd": f"printf 'begun\\n'; printf '{words}\\n' >&2; exit 2", "outs": ["x.txt"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"bad": stage}}))
    run(tmp_path, "dvc", "init", "--no-scm", "-q")
    definitions = dg.Definitions(
        assets=build_assets(Repository(tmp_path), DvcTranslator()),
        resources={"dvc": DvcResource(root=str(tmp_path))},
    )
    job = definitions.resolve_implicit_global_asset_job_def()
    build_failure_notice()(failed_run(instance, job))
    (posted,) = received
    assert posted["subject"] == "stage bad (a run of Materialize)"
    assert posted["reason"] == (
        "smar bad: 1 of 2 rules stop the work:\n  - prices: expected above 0; saw -3"
    )


def write(root: Path, file: str, content: dict[str, Any]) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(json.dumps(content))


def test_news_are_told_once(
    instance: dg.DagsterInstance,
    webhook: tuple[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    url, received = webhook
    monkeypatch.setenv(VARIABLE, url)
    monkeypatch.setenv("SMAR_REPORTS_URL", "https://reports.example/")
    monkeypatch.setattr(notice, "ROOT", tmp_path)
    promote, drift = "reports/outcomes/promote.json", "reports/outcomes/drift.json"
    rule = {"table": "items", "column": "price", "expected": "above 0", "observed": "saw -3"}
    write(tmp_path, promote, {"verdict": "promoted", "release": 1, "reasons": []})

    def look(cursor: str | None) -> str | None:
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        build_news()(context)
        return context.cursor

    cursor = look(None)
    assert received == []  # what was there before is no news
    write(tmp_path, promote, {"verdict": "refused", "release": 1, "reasons": ["recall@50 fell"]})
    write(tmp_path, drift, {"verdict": "retrain", "reasons": ["queries moved"]})
    rules = [
        rule | {"severity": "warn", "success": False},
        rule | {"severity": "stop", "success": True},
    ]
    write(tmp_path, "reports/validation/results.json", {"rules": rules})
    cursor = look(look(cursor))
    told = {one["kind"]: (one["reason"], one["link"]) for one in received}
    assert len(received) == 3
    assert told["refused candidate"] == (
        "recall@50 fell", "https://reports.example/reports/promote/index.html"
    )  # fmt: skip
    assert told["drift"][0] == "retrain: queries moved"
    assert told["warning"][0] == "items.price: expected above 0; saw -3"
    better = {"verdict": "promoted", "release": 2, "reasons": [], "old": 0.5, "new": 0.6}
    write(tmp_path, promote, better)
    look(cursor)
    assert received[3]["text"].startswith(
        "new release: promote: v2 is the current release (0.5000 before, 0.6000 now)"
    )


def test_news_that_cannot_be_delivered_is_kept(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1:9/")
    monkeypatch.setattr(notice, "ROOT", tmp_path)
    write(tmp_path, "reports/outcomes/drift.json", {"verdict": "retrain", "reasons": ["moved"]})
    context = dg.build_sensor_context(instance=instance, cursor="[]")
    with pytest.raises(OSError, match="refused"):
        build_news()(context)
    assert context.cursor == "[]"


def test_failed_tick_is_news(instance: dg.DagsterInstance):
    origin = RemoteInstigatorOrigin(
        RemoteRepositoryOrigin(
            ManagedGrpcPythonEnvCodeLocationOrigin(
                LoadableTargetOrigin(module_name="orchestration.definitions")
            ),
            "r",
        ),
        "refresh_nightly",
    )
    nightly = ScheduleInstigatorData("30 2 * * *")
    state = InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, nightly)
    instance.add_instigator_state(state)
    data = TickData(
        origin.get_id(), "refresh_nightly", InstigatorType.SCHEDULE, TickStatus.FAILURE, 0.0,
        selector_id=state.selector_id,
        error=SerializableErrorInfo("OSError: dvc.yaml is broken\n", [], "OSError"),
    )  # fmt: skip
    instance.create_tick(data)
    (piece,) = failed_ticks(instance, but="news")
    assert (piece.kind, piece.subject) == ("failed tick", "schedule refresh_nightly")
    assert "dvc.yaml is broken" in piece.reason
    assert piece.day == "1970-01-01"
    assert list(failed_ticks(instance, but="refresh_nightly")) == []


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            "12:00 INFO begun\nsmar index: bad\n  - one\nERROR: failed to reproduce 'index'",
            "smar index: bad\n  - one",
        ),
        ("Running stage 'a':\n> run\nTraceback\nValueError: no\nERROR: failed", "ValueError: no"),
        ("", ""),
    ],
)
def test_stage_is_quoted_and_dvc_is_not(output: str, expected: str):
    assert own_words(output) == expected


def test_nothing_is_posted_without_a_webhook(
    instance: dg.DagsterInstance,
    webhook: tuple[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv(VARIABLE, raising=False)
    result = build_failure_notice()(failed_run(instance))
    assert isinstance(result, dg.SkipReason)
    assert webhook[1] == []


def test_address_that_is_not_http_is_refused(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(VARIABLE, "file:///etc/passwd")
    with pytest.raises(ValueError, match="no http or https address"):
        build_failure_notice()(failed_run(instance))
