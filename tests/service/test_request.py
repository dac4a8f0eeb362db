"""Requests: what plain types mean, and everything that is wrong told at once."""

from typing import Any

import pytest

from smar.errors import RequestError
from smar.service.filters import All, AnyOf, Between, Either, Not, fields_of, without
from smar.service.request import DEEPEST, SearchRequest


def problems(content: dict[str, Any]) -> list[str]:
    with pytest.raises(RequestError) as error:
        SearchRequest.read(content)
    assert str(error.value).count("\n  - ") == min(20, len(error.value.problems))
    return [problem.field for problem in error.value.problems]


def test_filters_are_read_as_they_are_written():
    content = {
        "brand": ["Acme", None],
        "price": {"gte": 10, "lt": 50},
        "colour": {"not": "red"},
        "or": [{"size": "M"}, {"not": {"size": "L"}, "stars": 5}],
    }
    assert SearchRequest.read({"filters": content}).filters == All(
        (
            AnyOf("brand", ("Acme", None)),
            Between("price", gte=10.0, lt=50.0),
            Not(AnyOf("colour", ("red",))),
            Either(
                (AnyOf("size", ("M",)), All((Not(AnyOf("size", ("L",))), AnyOf("stars", (5,)))))
            ),
        )
    )


def test_page_is_another_word_for_offset_and_limit():
    request = SearchRequest.read({"query": "boot", "page": 3, "per_page": 20})
    assert (request.offset, request.limit) == (40, 20)
    assert SearchRequest.read({"page": 2}).offset == 10


def test_everything_wrong_is_told_at_once():
    content = {
        "query": 3, "offset": -1, "limit": "x", "filters": {"price": {"gtt": 3}, "or": 3, "x": {}},
        "facets": "brand", "collapse": None, "sort_among": 0, "min_relevance": 2, "explain": 1,
        "sorted": 1,
    }  # fmt: skip
    assert set(problems(content)) == {
        "query", "offset", "limit", "filters.price", "filters.or", "filters.x", "facets",
        "collapse", "sort_among", "min_relevance", "explain", "sorted",
    }  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        {"page": 0}, {"page": 1, "offset": 2}, {"per_page": True}, {"limit": 2.0},
        {"offset": DEEPEST, "limit": 1}, {"min_relevance": float("nan")}, {"query": "x" * 2001},
        {"filters": []}, {"filters": {"price": float("inf")}}, {"filters": {"price": {"gt": None}}},
        {"filters": {"brand": [["Acme"]]}}, {"filters": {"brand": True}}, {"facets": [1]},
        {"filters": {"brand": ["x"] * 10_001}}, {"facets": ["x"] * 101}, {"query": "red \ud800"},
        {"query_id": "\udcff"},
    ],
)  # fmt: skip
def test_one_wrong_thing_is_one_problem(content: dict[str, Any]):
    assert len(problems(content)) == 1


def test_filters_within_filters_end_somewhere():
    content: dict[str, Any] = {"brand": "Acme"}
    for _ in range(5000):
        content = {"not": content}
    assert len(problems({"filters": content})) == 1


def test_what_is_asked_of_one_field_is_taken_out():
    brand, price = AnyOf("brand", ("Acme",)), Between("price", lt=3.0)
    both = Either((brand, price))
    assert without(All((brand, price, Not(brand))), "brand") == All((price,))
    assert without(brand, "brand") == All()
    assert without(All((both, Either((brand, Not(brand))))), "brand") == All((both,))
    assert list(fields_of(All((brand, Not(price))))) == ["brand", "price"]
