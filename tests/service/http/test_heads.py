"""HEAD: what GET answers, without the body."""

import json
import logging
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

Serve = Callable[..., TestClient]
ROUTES = [
    "/",
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/suggest?q=la",
    "/items/nothing",
    "/no/route",
]


@pytest.mark.parametrize("route", ROUTES)
def test_the_head_is_that_of_get_and_nothing_follows(client: TestClient, route: str):
    asked, got = client.head(route), client.get(route)
    assert asked.status_code == got.status_code
    assert asked.content == b""
    for name in ("content-type", "content-length", "content-security-policy"):
        assert asked.headers.get(name) == got.headers.get(name), name


def test_a_search_is_asked_for_and_counts(client: TestClient):
    assert client.head("/search?q=lamp").status_code == 405


def test_what_only_takes_post_refuses_it_as_it_refuses_get(client: TestClient):
    assert client.head("/ubi_events").status_code == client.get("/ubi_events").status_code == 405


def test_the_access_log_tells_it_from_get(serve: Serve, caplog: pytest.LogCaptureFixture):
    client = serve(access_log=True)
    with caplog.at_level(logging.INFO, "smar.access"):
        client.head("/healthz")
    (line,) = [
        json.loads(record.message) for record in caplog.records if record.name == "smar.access"
    ]
    assert (line["method"], line["route"], line["status"], line["bytes"]) == (
        "HEAD",
        "/healthz",
        200,
        0,
    )
