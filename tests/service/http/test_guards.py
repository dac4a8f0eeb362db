"""Hosts, sizes, rates, keys and headers: what is refused before a route sees it."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from smar.service.http.guards import Guard, Rates

Serve = Callable[..., TestClient]
KEY = {"name": "shop", "sha256": hashlib.sha256(b"secret").hexdigest(), "scopes": ["write"]}
EVENT = [{"action_name": "click", "query_id": "q"}]


def test_bucket_fills_at_its_rate():
    rates = Rates(2.0, 3)
    assert [rates.wait("a", 0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert rates.wait("b", 0.0) == 0.0
    assert rates.wait("a", 0.5) == 0.0
    assert rates.wait("a", 0.5) == pytest.approx(0.5)
    assert [rates.wait("a", 100.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_memory_of_clients_has_an_end():
    rates = Rates(1.0, 1)
    for number in range(10_100):
        rates.wait(str(number), 0.0)
    assert len(rates._buckets) == 10_000


def test_client_that_asks_too_often_is_told_when_to_come_back(serve: Serve):
    client = serve(per_client_s=0.5, per_client_burst=2)
    codes = [client.get("/search?q=lamp&limit=1").status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    response = client.get("/search?q=lamp")
    assert int(response.headers["retry-after"]) >= 1
    assert client.get("/healthz").status_code == 200


def test_page_of_another_name_cannot_read_what_is_here(client: TestClient):
    response = client.get("/search?q=lamp", headers={"host": "evil.example"})
    assert response.status_code == 421
    assert "evil.example" in response.json()["detail"]
    assert client.get("/healthz", headers={"host": "localhost:8000"}).status_code == 200


def test_large_body_is_refused_before_it_is_read(client: TestClient):
    response = client.post("/search", content=b" " * (256 * 1024 + 1))
    assert response.status_code == 413
    endless = (b" " * 1024 for _ in range(1000))  # of a length that is not told
    assert client.post("/search", content=endless).status_code == 413


def test_slow_and_vanished_clients_hold_nothing_up():
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("no route sees it")

    def answered(receive: Receive) -> int:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        guard = Guard(app, hosts=[], max_body=100, body_s=0.05, per_s=0, burst=1)
        scope = {"type": "http", "method": "POST", "path": "/search", "headers": []}
        asyncio.run(guard(scope, receive, send))
        return sent[0]["status"]

    async def slow() -> Message:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    assert answered(slow) == 408
    assert answered(gone) == 400


def test_writing_needs_a_key_of_its_scope(serve: Serve):
    client = serve(keys=[KEY])
    assert client.post("/ubi_events", json=EVENT).status_code == 401
    wrong = {"x-api-key": "secrex"}
    assert client.post("/ubi_events", json=EVENT, headers=wrong).status_code == 401
    right = {"x-api-key": "secret"}
    assert client.post("/ubi_events", json=EVENT, headers=right).status_code == 200
    bearer = {"authorization": "Bearer secret"}
    assert client.get("/judgements", headers=bearer).status_code == 200
    assert client.get("/metrics", headers=right).status_code == 403
    assert client.get("/search?q=lamp").status_code == 200


def test_without_keys_other_machines_cannot_write(serve: Serve):
    client = serve(host="0.0.0.0")  # noqa: S104 - nothing listens in this test
    response = client.post("/ubi_events", json=EVENT)
    assert response.status_code == 403
    assert "serve.yaml" in response.json()["detail"]
    assert serve(host="0.0.0.0", events_need_key=False).post("/ubi_events", json=EVENT).is_success  # noqa: S104


def test_form_of_another_site_writes_nothing(client: TestClient):
    response = client.post(
        "/ubi_events", content=json.dumps(EVENT), headers={"content-type": "text/plain"}
    )
    assert response.status_code == 415


def test_only_listed_origins_may_call(serve: Serve, client: TestClient):
    asked = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    allowed = serve(origins=["https://shop.example"]).options("/search", headers=asked)
    assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in client.options("/search", headers=asked).headers


def test_access_log_names_no_query_unless_it_is_told_to(
    serve: Serve, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO, "smar.access"):
        serve(access_log=True).get("/search?q=secret+wish")
        serve(access_log=True, access_log_text=True).get("/search?q=open+wish")
    lines = [
        json.loads(record.message) for record in caplog.records if record.name == "smar.access"
    ]
    assert [line["route"] for line in lines] == ["/search", "/search"]
    assert "secret" not in json.dumps(lines[0])
    assert (lines[0]["status"], lines[0]["release"]) == (200, "v1")
    assert lines[1]["query"] == "open wish"


@pytest.mark.parametrize("path", ["/search?q=lamp", "/suggest?q=lamp"])
def test_what_nobody_foresaw_is_a_problem_and_a_line_of_the_log(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str
):
    client = serve()

    def breaks(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr("smar.service.retriever.answer_all", breaks)
    monkeypatch.setattr("smar.service.retriever.Suggester.suggest", breaks)
    response = client.get(path)
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "nought" not in response.text
    assert "nought" in str(caplog.records[-1].exc_info)
    assert client.get("/readyz").status_code == 200


def test_first_host_and_length_of_several_count(client: TestClient):
    twice = [("host", "example.org"), ("host", "127.0.0.1")]
    assert client.get("/healthz", headers=twice).status_code == 421
    assert client.get("/healthz", headers=twice[::-1]).status_code == 200
