"""Items like an item, and an item by its id."""

import numpy as np
import pytest

from smar.errors import RequestError
from smar.service.filters import AnyOf
from smar.service.retriever import Retriever
from tests.service.shop import build_shop, item_frame, items_of, vectors_of

NUM = 120


@pytest.fixture(scope="module")
def shop(module_model) -> Retriever:
    return build_shop(module_model, item_frame(NUM), vectors_of(NUM), 0.4)


@pytest.mark.parametrize("item_id", ["i0000", "i0017", "i0063"])
def test_nearest_items_of_other_groups_are_similar(shop: Retriever, item_id: str):
    row, items = shop.items.row(item_id), items_of(shop)
    scores = vectors_of(NUM) @ vectors_of(NUM)[row] / 2
    group = items[row]["group_id"]
    others = [
        other
        for other in np.argsort(-scores, kind="stable")
        if other != row and items[other]["brand"] == "Acme"
        and not (group and items[other]["group_id"] == group)
    ]  # fmt: skip
    hits = shop.similar(item_id, 7, AnyOf("brand", ("Acme",)))
    assert [hit.item_id for hit in hits] == [f"i{other:04d}" for other in others[:7]]
    assert [hit.score for hit in hits] == pytest.approx(scores[others[:7]], abs=1e-6)
    assert [hit.rank for hit in hits] == list(range(1, 8))
    assert len(shop.similar(item_id, 1000)) < NUM


def test_nothing_is_similar_where_nothing_is_allowed(shop: Retriever):
    assert shop.similar("i0000", 3, AnyOf("brand", ("Nobody",))) == []
    assert shop.similar("i0000", 3, AnyOf("item_id", ("i0000",))) == []


def test_item_is_told_with_all_its_fields(shop: Retriever):
    hit = shop.item("i0005")
    assert hit.title == items_of(shop)[5]["title"]
    assert hit.pictures == ["sha5"]


def test_unknown_items_and_fields_are_refused(shop: Retriever):
    with pytest.raises(RequestError, match="there is no item 'x' in v1"):
        shop.similar("x")
    with pytest.raises(RequestError, match="there is no item 'x' in v1"):
        shop.item("x")
    with pytest.raises(RequestError, match=r"filters.brnd: .* Did you mean 'brand'"):
        shop.similar("i0000", 3, AnyOf("brnd", ("Acme",)))
