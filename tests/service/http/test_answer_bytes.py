"""The bytes of an answer are its JSON, whatever was asked for."""

import orjson
import pytest

from smar.models.dual_encoder import DualEncoder
from smar.service.filters import AnyOf
from smar.service.hits import Page
from smar.service.http.answer_bytes import answer_bytes
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever
from tests.service.shop import build_shop, item_frame, vectors_of


@pytest.fixture(scope="module")
def shop(module_model: DualEncoder) -> Retriever:
    return build_shop(module_model, item_frame(40), vectors_of(40), 0.4)


@pytest.mark.parametrize(
    "asked",
    [
        {"query": "red boot"},
        {"query": "red boot", "limit": 0},
        {"query": "red boot", "limit": 1, "offset": 7},
        {"query": "red boot", "offset": 39},
        {"query": 'a "quoted" \u2028 boot', "collapse": "brand", "limit": 40},
        {"query": "red boot", "explain": True, "limit": 3},
        {"facets": ("brand", "price"), "sort": "-price"},
        {"filters": AnyOf("brand", ("nobody",))},
    ],
    ids=["plain", "no hits", "deep", "last", "collapsed", "explained", "browsing", "nothing"],
)
def test_bytes_are_the_json_of_the_answer(shop: Retriever, asked: dict[str, object]):
    answer = shop.answer(SearchRequest(**asked))
    expected = answer.as_dict("/pictures/")
    expected["milliseconds"] = answer.milliseconds | {"served": 1.235}
    made = answer_bytes(answer, 1.23456)
    assert orjson.loads(made) == expected
    assert made == orjson.dumps(expected)


def test_page_is_its_hits(shop: Retriever):
    page = shop.answer(SearchRequest(query="red boot", offset=2, limit=5)).hits
    assert isinstance(page, Page)
    hits = list(page)
    assert page == hits
    assert page != hits[1:]
    assert (len(page), page[1], page[-1], page[1:3]) == (5, hits[1], hits[-1], hits[1:3])
    assert page.item_ids == [hit.item_id for hit in hits]
    assert [hit.rank for hit in hits] == [3, 4, 5, 6, 7]
