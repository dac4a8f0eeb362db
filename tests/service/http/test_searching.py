"""One answer for Python and HTTP; everything that is wrong is told at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl

import pytest
from starlette.testclient import TestClient

from smar.service.http.reading import of_query
from smar.service.http.searching import _of_address
from smar.service.http.service import Service
from smar.service.request import SearchRequest


def told(response: Any) -> list[tuple[str, str]]:
    """Return the problems of a response that refuses."""
    assert response.headers["content-type"] == "application/problem+json"
    content = response.json()
    assert content["status"] == response.status_code
    assert content["detail"]
    return [(each["field"], each["detail"]) for each in content.get("problems", [])]


def untimed(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without what differs between two equal searches."""
    return {name: v for name, v in answer.items() if name not in {"milliseconds", "query_id"}}


def test_address_body_and_library_give_one_answer(client: TestClient, service: Service):
    body = {
        "query": "red lamp",
        "page": 2,
        "per_page": 3,
        "facets": ["brand", "price"],
        "filters": {"price": {"lt": 1000}},
    }
    by_body = client.post("/search", json=body).json()
    by_address = client.get(
        '/search?q=red+lamp&page=2&per_page=3&facets=brand,price&filters={"price":{"lt":1000}}'
    ).json()
    expected = service.live.current.answer(SearchRequest.read(body)).as_dict()
    for hit in expected["hits"]:
        hit["pictures"] = [f"/pictures/{sha}" for sha in hit["pictures"]]
    assert untimed(by_body) == untimed(expected)
    assert untimed(by_address) == untimed(expected)
    assert [hit["rank"] for hit in by_body["hits"]] == [4, 5, 6]
    assert by_body["milliseconds"]["served"] >= by_body["milliseconds"]["total"]


def test_searches_at_the_same_time_get_their_own_answers(client: TestClient):
    queries = [f"{colour} {kind}" for colour in ("red", "blue", "teal") for kind in ("lamp", "bag")]
    alone = {query: client.get("/search", params={"q": query}).json() for query in queries}
    with ThreadPoolExecutor(8) as pool:
        many = [query for query in queries for _ in range(5)]
        found = list(pool.map(lambda q: client.get("/search", params={"q": q}).json(), many))
    for query, answer in zip(many, found, strict=True):
        assert answer["query"] == query
        ids = [hit["item_id"] for hit in answer["hits"]]
        assert ids == [hit["item_id"] for hit in alone[query]["hits"]]


def test_one_bad_search_of_a_batch_spoils_no_other(client: TestClient):
    def search(query: str) -> int:
        params = {"q": query} | ({"sort": "brand"} if query == "bad" else {})
        return client.get("/search", params=params).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(search, ["lamp", "bad"] * 8))
    assert codes == [200, 422] * 8


def test_all_problems_of_a_search_are_told(client: TestClient):
    response = client.post(
        "/search",
        json={"query": 5, "limit": -1, "qurey": "x", "facets": "brand", "filters": {"a": {"x": 1}}},
    )
    assert response.status_code == 422
    assert {field for field, _ in told(response)} == {
        "qurey", "query", "limit", "facets", "filters.a",
    }  # fmt: skip
    assert client.get("/search?q=a&q=b").status_code == 422
    response = client.get("/search?page=x&per_page=2.5&explain=maybe&min_relevance=high&track=so")
    assert told(response) == [("track", "'so', expected true or false")]
    response = client.get("/search?page=x&per_page=2.5&explain=maybe&min_relevance=high")
    assert {f for f, _ in told(response)} == {"page", "per_page", "explain", "min_relevance"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b'"lamp"', b"\xff\xfe", b"null"])
def test_body_that_is_no_object_is_refused(client: TestClient, body: bytes):
    response = client.post("/search", content=body)
    assert response.status_code == 400
    told(response)


def test_unknown_release_and_field_are_named(client: TestClient):
    response = client.post("/search", json={"query": "lamp", "release": "v9"})
    assert (response.status_code, told(response)) == (404, [])
    assert "only v1" in response.json()["detail"]
    assert client.post("/search", json={"query": "lamp", "release": "v1"}).json()["release"] == "v1"
    assert client.post("/search", json={"query": "a", "release": "current"}).status_code == 200
    response = client.post("/search", json={"query": "lamp", "facets": ["brnad"]})
    assert "brand" in told(response)[0][1]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "&&",
        "q=red+lamp&limit=3",
        "q=a%20b%26c&brand=%C3%84",
        "q",
        "q=&client_id",
        "q=a=b&%71x=%zz%",
        "=a",
        "q=%ff&\u00e4=\u00df",
        "filters=%7B%22price%22%3A%7B%22lt%22%3A9%7D%7D&facets=brand,,price",
    ],
)
def test_address_is_read_as_urllib_reads_it(query: str):
    wanted = dict(parse_qsl(query, keep_blank_values=True))
    assert _of_address(query.encode("latin-1")) == of_query(wanted)
