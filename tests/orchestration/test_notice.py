"""The failure notice: one request to the webhook, nothing without one."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import dagster as dg
import pytest

from orchestration.notice import VARIABLE, build_failure_notice


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


def failed_run(instance: dg.DagsterInstance) -> Any:
    result = doomed.execute_in_process(instance=instance, raise_on_error=False)
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
    context = failed_run(instance)
    build_failure_notice()(context)
    assert len(received) == 1
    assert received[0]["job"] == "doomed"
    assert received[0]["run_id"] == context.dagster_run.run_id
    assert received[0]["text"].startswith("doomed failed: ")


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
