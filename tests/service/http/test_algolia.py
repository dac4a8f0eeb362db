"""Algolia's questions and answers, as its client and InstantSearch.js send and read them."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from smar.service.filters import read_filter
from smar.service.http.algolia import highlighted, read_query
from smar.service.http.algolia_filters import read_filters


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {}),
        ({"filters": "brand:Velmo"}, {"brand": "Velmo"}),
        (
            {"filters": "brand:'O Neil' AND NOT size:\"M L\""},
            {"and": [{"brand": "O Neil"}, {"not": {"size": "M L"}}]},
        ),
        (
            {"filters": "a:1 AND (price < 50 OR price>=100.5)"},
            {"and": [{"a": "1"}, {"or": [{"price": {"lt": 50.0}}, {"price": {"gte": 100.5}}]}]},
        ),
        ({"filters": "price:10 TO 20"}, {"price": {"gte": 10.0, "lte": 20.0}}),
        ({"filters": "price != 5"}, {"not": {"price": {"gte": 5.0, "lte": 5.0}}}),
        (
            {"facetFilters": ["brand:A", ["size:M", "size:-L"]]},
            {"and": [{"brand": "A"}, {"or": [{"size": "M"}, {"not": {"size": "L"}}]}]},
        ),
        ({"facetFilters": "category.lvl0:Shoes"}, {"category.lvl0": "Shoes"}),
        ({"facetFilters": [["brand:\\-dash"]]}, {"or": [{"brand": "-dash"}]}),
        (
            {"numericFilters": ["price>=10", "price<=20"]},
            {"and": [{"price": {"gte": 10.0}}, {"price": {"lte": 20.0}}]},
        ),
        (
            {"numericFilters": "price>1,price<2"},
            {"and": [{"price": {"gt": 1.0}}, {"price": {"lt": 2.0}}]},
        ),
        (
            {"facetFilters": ["a:b"], "numericFilters": ["c=1"]},
            {"and": [{"a": "b"}, {"c": {"gte": 1.0, "lte": 1.0}}]},
        ),
    ],
)
def test_filters_say_what_algolia_means(query: dict[str, Any], expected: dict[str, Any]):
    assert read_filters(query) == (expected, [])
    assert read_filter(expected)[1] == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"filters": "brand"}, "the end, expected one of"),
        ({"filters": "(a:b"}, "a bracket is not closed"),
        ({"filters": "a:b c:d"}, "'c' is not expected there"),
        ({"filters": "price < ten"}, "'ten' after <, expected a number"),
        ({"filters": "price:a TO b"}, "expected numbers"),
        ({"filters": 'a:"open'}, "cannot be read from"),
        ({"filters": 5}, "expected a text"),
        ({"filters": "NOT " * 30 + "a:b"}, "more than 20 conditions"),
        ({"filters": "(" * 5000}, "more than 20 conditions"),
        ({"facetFilters": ["brand"]}, "expected field:value"),
        ({"numericFilters": ["price"]}, "expected field>=number"),
        ({"numericFilters": [[{}]]}, "expected field>=number"),
    ],
)
def test_filters_that_say_nothing_are_refused(query: dict[str, Any], words: str):
    problems = read_filters(query)[1]
    assert len(problems) == 1
    assert words in problems[0].text


def test_parameters_of_older_clients_are_read():
    request, _, problems = read_query(
        {
            "indexName": "items_price_desc",
            "params": "query=teal%20lamp&page=2&hitsPerPage=5&facets=%5B%22brand%22%5D"
            "&facetFilters=%5B%5B%22brand%3AFjord%22%5D%5D&maxValuesPerFacet=7",
        },
        "requests.0",
    )
    assert problems == []
    assert request is not None
    assert (request.query, request.offset, request.limit) == ("teal lamp", 10, 5)
    assert (request.facets, request.facet_values, request.sort) == (("brand",), 7, "-price")


def test_words_that_were_typed_are_marked():
    marked = highlighted("Two Lamps & a lamp", {"lamp", "teal"}, ["<b>", "</b>"])
    assert marked["value"] == "Two <b>Lamps</b> & a <b>lamp</b>"
    assert (marked["matchLevel"], marked["matchedWords"]) == ("partial", ["lamp"])
    assert highlighted("bag", {"lamp"}, ["", ""])["matchLevel"] == "none"
    assert highlighted("a lamp", {"lamp"}, ["", ""])["matchLevel"] == "full"


def test_several_queries_are_answered_in_their_order(client: TestClient):
    body = {
        "requests": [
            {"indexName": "items", "query": "lamp", "hitsPerPage": 3, "facets": ["brand", "price"]},
            {"indexName": "items_price_asc", "params": "query=&hitsPerPage=2&page=1"},
            {"indexName": "items", "query": "lamp", "hitsPerPage": 0, "facets": "*"},
        ]
    }
    first, second, third = client.post("/1/indexes/*/queries", json=body).json()["results"]
    plain = client.get("/search?q=lamp&limit=3&facets=brand,price").json()
    assert [hit["objectID"] for hit in first["hits"]] == [h["item_id"] for h in plain["hits"]]
    assert first["nbHits"] == plain["total"]
    assert first["nbPages"] == -(-plain["total"] // 3)
    assert first["facets"]["brand"] == plain["facets"]["brand"]["counts"]
    assert first["facets_stats"]["price"]["min"] == plain["facets"]["price"]["stats"]["min"]
    assert first["hits"][0]["_highlightResult"]["title"]["value"].count("<em>") >= 1
    prices = [hit["price"] for hit in second["hits"]]
    assert prices == sorted(prices)
    assert (second["page"], second["index"]) == (1, "items_price_asc")
    assert third["hits"] == []
    assert "category.lvl0" in third["facets"]


def test_refined_facets_count_what_is_left(client: TestClient):
    brands = client.get("/search?q=&limit=0&facets=brand").json()["facets"]["brand"]["counts"]
    brand, number = next(iter(brands.items()))
    one = {"query": "", "facets": ["brand"], "facetFilters": [[f"brand:{brand}"]]}
    found = client.post("/1/indexes/items/query", json=one).json()
    assert found["nbHits"] == number
    assert found["facets"]["brand"][brand] == number
    values = client.post("/1/indexes/items/facets/brand/query", json={"facetQuery": brand[:3]})
    expected = {"value": brand, "count": number, "highlighted": brand}
    assert expected in values.json()["facetHits"]
    params = {"facetQuery": brand[:3].upper(), "maxFacetHits": 3}
    asked = {"requests": [{"type": "facet", "facet": "brand", "params": params}]}
    found = client.post("/1/indexes/*/queries", json=asked).json()["results"][0]
    assert expected in found["facetHits"]
    assert len(found["facetHits"]) <= 3


def test_all_problems_of_all_queries_are_told(client: TestClient):
    body = {"requests": [{"page": -1, "filters": "("}, 5, {"params": "hitsPerPage=x"}]}
    response = client.post("/1/indexes/items/queries", json=body)
    assert response.status_code == 422
    assert {each["field"] for each in response.json()["problems"]} == {
        "requests.0.page", "requests.0.filters", "requests.1", "requests.2.hitsPerPage",
    }  # fmt: skip
    assert client.post("/1/indexes/items/queries", json={}).status_code == 422
