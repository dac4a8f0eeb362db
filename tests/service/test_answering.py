"""Answers against a slow search of every item: filters, facets, collapsing, sorting, paging."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smar.errors import RequestError
from smar.index.letters import read_letters
from smar.index.relevance import Calibration
from smar.index.spelling import Spelling
from smar.index.unseen import UnseenWords
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_queries
from smar.service import finding
from smar.service.answer import Shares
from smar.service.filters import All, AnyOf, Between, Either, Filter, Not
from smar.service.http.algolia import result
from smar.service.http.answer_bytes import answer_bytes
from smar.service.page import write_search_page
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever
from smar.service.table import answer_table
from tests.service.shop import (
    BRANDS,
    allows,
    build_shop,
    item_frame,
    items_of,
    score_all,
    value_of,
    vectors_of,
)

NUM = 300
QUERIES = ["red boot", "blue novel no 7", "zzz", "atlas"]
SHARES = [0.0, 0.4]

VALUES = {
    "brand": BRANDS[:3],
    "category": ["Shoes", "Shoes > Boots", "Books", "Shoes > Sandals > Flat", "Shoe"],
    "availability": ["in_stock", "out_of_stock", "never"],
    "material": ["wool", "cotton"],
    "season": ["summer", "winter"],
    "item_id": ["i0003", "i0200"],
}
CONDITIONS = st.one_of(
    st.sampled_from(sorted(VALUES)).flatmap(
        lambda field: st.lists(st.sampled_from([*VALUES[field], None]), max_size=3).map(
            lambda values: AnyOf(field, tuple(values))
        )
    ),
    st.tuples(
        st.sampled_from(["price", "stars"]),
        st.sampled_from([("gte", "lt"), ("gt", "lte"), ("gte", "lte")]),
        st.integers(0, 40),
        st.integers(0, 40),
    ).map(lambda a: Between(a[0], **{a[1][0]: float(min(a[2:])), a[1][1]: float(max(a[2:]))})),
)
FILTERS = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: Either(tuple(parts))),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def shops(module_model: DualEncoder) -> Callable[[float], Retriever]:
    return cache(lambda share: build_shop(module_model, item_frame(NUM), vectors_of(NUM), share))


def expected(shop: Retriever, request: SearchRequest) -> list[int]:
    """Return the rows that a request's filters allow, best first."""
    rows = [row for row, item in enumerate(items_of(shop)) if allows(request.filters, item)]
    if request.query:
        scores = score_all(shop, request.query)
        rows.sort(key=lambda row: (-scores[row], row))
    return rows


def ids(shop: Retriever, rows: list[int]) -> list[str]:
    return [f"i{row:04d}" for row in rows]


@settings(max_examples=60, deadline=None)
@given(
    condition=FILTERS,
    query=st.sampled_from([*QUERIES, ""]),
    share=st.sampled_from(SHARES),
    offset=st.integers(0, 40),
    limit=st.integers(0, 60),
)
def test_filtered_search_is_the_whole_ranking_without_the_others(
    shops, condition: Filter, query: str, share: float, offset: int, limit: int
):
    shop = shops(share)
    request = SearchRequest(query=query, filters=condition, offset=offset, limit=limit)
    answer = shop.answer(request)
    rows = expected(shop, request)
    assert answer.total == len(rows)
    assert [hit.item_id for hit in answer.hits] == ids(shop, rows[offset : offset + limit])
    assert [hit.rank for hit in answer.hits] == list(
        range(offset + 1, offset + 1 + len(answer.hits))
    )


@settings(max_examples=15, deadline=None)
@given(condition=FILTERS, query=st.sampled_from(QUERIES))
def test_filtered_search_by_vectors_is_that_of_a_shop_with_these_items_alone(
    shops, module_model: DualEncoder, condition: Filter, query: str
):
    shop = shops(0.0)
    mask = shop.fields.mask(condition)
    if not mask.any():
        return
    frame = item_frame(NUM)[mask].reset_index(drop=True)
    alone = build_shop(module_model, frame, vectors_of(NUM)[mask], 0.0)
    here = shop.answer(SearchRequest(query=query, filters=condition, limit=NUM))
    there = alone.answer(SearchRequest(query=query, limit=NUM))
    assert [hit.item_id for hit in here.hits] == [hit.item_id for hit in there.hits]
    assert np.allclose([h.score for h in here.hits], [h.score for h in there.hits], atol=2e-6)


@settings(max_examples=30, deadline=None)
@given(condition=FILTERS, apart=st.booleans())
def test_facets_count_every_item_that_is_allowed(shops, condition: Filter, apart: bool):
    shop = shops(0.4)
    names = ("brand", "availability", "price", "material")
    request = SearchRequest(
        query="red boot", filters=condition, facets=names, facets_apart=apart, limit=3
    )
    answer = shop.answer(request)
    items = items_of(shop)
    parts = condition.of if isinstance(condition, All) else (condition,)
    for name in names:
        own = {
            AnyOf(name, p.values) if isinstance(p, AnyOf) else p for p in parts if _about(p, name)
        }
        kept = [part for part in parts if not (apart and part in own)]
        allowed = [item for item in items if all(allows(part, item) for part in kept)]
        values = [value_of(item, name) for item in allowed]
        known = [value for value in values if value not in {"", None}]
        facet = answer.facets[name]
        assert Counter(facet.counts) == Counter(
            f"{value:g}" if name == "price" else value for value in known
        )
        assert facet.unknown == len(values) - len(known)
        assert list(facet.counts.values()) == sorted(facet.counts.values(), reverse=True)
        if name == "price" and known:
            assert (facet.stats.least, facet.stats.most) == (min(known), max(known))
            assert facet.stats.mean == pytest.approx(np.mean(known))


def _about(condition: Filter, name: str) -> bool:
    """Return whether a condition asks something of one field and nothing of any other."""
    return _asked_of(condition) == {name}


def _asked_of(condition: Filter) -> set[str]:
    match condition:
        case AnyOf(field=field) | Between(field=field):
            return {field}
        case Not(of=inner):
            return _asked_of(inner)
        case All(of=parts) | Either(of=parts):
            return set().union(*(_asked_of(part) for part in parts))


def test_levels_of_a_category_are_counted_with_all_below_them(shops):
    facet = shops(0.0).answer(SearchRequest(facets=("category", "category.lvl1"))).facets
    counts = facet["category"].counts
    assert counts["Shoes"] == counts["Shoes > Boots"] + counts["Shoes > Sandals"]
    assert counts["Shoes > Sandals"] == counts["Shoes > Sandals > Flat"]
    assert set(facet["category.lvl1"].counts) == {"Shoes > Boots", "Shoes > Sandals"}


@settings(max_examples=60, deadline=None)
@given(
    condition=FILTERS,
    query=st.sampled_from([*QUERIES, ""]),
    offset=st.integers(0, 50),
    limit=st.integers(1, 30),
)
def test_of_each_group_the_best_item_is_shown(
    shops, condition: Filter, query: str, offset: int, limit: int
):
    shop = shops(0.4)
    request = SearchRequest(
        query=query, filters=condition, collapse="group_id", offset=offset, limit=limit
    )
    answer = shop.answer(request)
    items = items_of(shop)
    groups: dict[str, list[int]] = {}
    for row in expected(shop, request):
        groups.setdefault(items[row]["group_id"] or f"alone {row}", []).append(row)
    shown = list(groups.values())[offset : offset + limit]
    assert answer.total == len(groups)
    assert [hit.item_id for hit in answer.hits] == ids(shop, [rows[0] for rows in shown])
    assert [hit.others for hit in answer.hits] == [len(rows) - 1 for rows in shown]


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("query", ["red boot", ""])
def test_sorting_keeps_the_most_relevant_and_puts_unknown_prices_last(shops, sign: str, query: str):
    shop = shops(0.4)
    request = SearchRequest(
        query=query,
        filters=Not(AnyOf("brand", ("Zeta",))),
        sort=f"{sign}price",
        sort_among=80,
        limit=300,
    )
    answer = shop.answer(request)
    rows = expected(shop, request)
    rows = rows[:80] if query else rows
    items = items_of(shop)
    turned = -1 if sign else 1
    rows.sort(key=lambda row: (items[row]["price"] is None, turned * (items[row]["price"] or 0)))
    assert answer.total == len(rows)
    assert [hit.item_id for hit in answer.hits] == ids(shop, rows)


@settings(max_examples=60, deadline=None)
@given(
    condition=FILTERS,
    sort=st.sampled_from(["price", "-price", "more.stars", "-sale_from"]),
    collapse=st.sampled_from(["", "group_id"]),
    offset=st.integers(0, 40),
    limit=st.integers(0, 60),
    least=st.sampled_from([0, 1, 40]),
    few=st.sampled_from([0, NUM]),
    rare=st.sampled_from([1, NUM]),
)
def test_browsing_by_a_field_is_the_sorted_catalogue_without_the_others(
    shops,
    condition: Filter,
    sort: str,
    collapse: str,
    offset: int,
    limit: int,
    least: int,
    few: int,
    rare: int,
):
    """However far the remembered order has to be gone through, and by either way to collapse."""
    shop = shops(0.4)
    asked = {"filters": condition, "sort": sort, "collapse": collapse}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "_LEAST", least)
        patch.setattr(finding, "_FEW", few)
        patch.setattr(finding, "_RARE", rare)
        answer = shop.answer(SearchRequest(**asked, offset=offset, limit=limit))
    numbers = shop.fields.column(sort.removeprefix("-")).as_numbers()
    numbers = -numbers if sort.startswith("-") else numbers
    rows = [row for row, item in enumerate(items_of(shop)) if allows(condition, item)]
    rows.sort(key=lambda row: (np.isnan(numbers[row]), numbers[row]))
    if collapse:
        items, seen = items_of(shop), set[str]()
        rows = [
            row
            for row in rows
            if not (group := items[row]["group_id"]) or not (group in seen or seen.add(group))
        ]
    assert answer.total == len(rows)
    assert [hit.item_id for hit in answer.hits] == ids(shop, rows[offset : offset + limit])


@pytest.mark.parametrize("share", SHARES)
def test_pages_are_parts_of_one_ranking(shops, share: float):
    shop = shops(share)
    whole = [hit.item_id for hit in shop.answer(SearchRequest(query="red boot", limit=NUM)).hits]
    paged = [
        hit.item_id
        for offset in range(0, NUM, 7)
        for hit in shop.answer(SearchRequest(query="red boot", offset=offset, limit=7)).hits
    ]
    assert paged == whole
    assert len(set(whole)) == NUM


def test_requests_together_are_answered_as_each_by_itself(shops):
    shop = shops(0.4)
    requests = [
        SearchRequest(query=query, filters=condition, limit=5, facets=("brand",), query_id="q")
        for query in (*QUERIES, "")
        for condition in (All(), AnyOf("brand", ("Acme",)), Between("price", lt=10.0))
    ]
    together = shop.answer_many(requests)
    for request, answer in zip(requests, together, strict=True):
        alone = shop.answer(request)
        assert [hit.item_id for hit in answer.hits] == [hit.item_id for hit in alone.hits]
        assert answer.facets == alone.facets
        assert answer.shares == alone.shares


def test_explanation_adds_up_to_the_score_and_ranks_by_each_retriever(shops):
    shop = shops(0.4)
    condition = AnyOf("availability", ("in_stock",))
    answer = shop.answer(
        SearchRequest(query="Red boots", filters=condition, explain=True, limit=40)
    )
    allowed = np.flatnonzero(shop.fields.mask(condition))
    scores, words = score_all(shop, "red boots"), shop.index.words.shares("red boots")
    similarity = (scores - 0.4 * words) / 0.6
    for hit in answer.hits:
        why, row = hit.why, shop.items.row(hit.item_id)
        assert why.text + why.picture + why.words == pytest.approx(hit.score, abs=1e-6)
        assert why.by_vectors.score == pytest.approx(similarity[row], abs=1e-5)
        assert why.by_vectors.rank == 1 + (similarity[allowed] > similarity[row] + 1e-6).sum()
        text = f"{hit.title} {hit.category}".lower()
        assert why.matched == [w for w in ("red", "boots") if w.removesuffix("s") in text]
        if words[row]:
            assert why.by_words.score == pytest.approx(float(words[row]))
            assert why.by_words.rank == 1 + (words[allowed] > words[row]).sum()
        else:
            assert why.by_words is None
    assert {len(hit.why.matched) for hit in answer.hits} >= {1, 2}


def test_shares_are_those_of_gate_and_words(shops):
    answer = shops(0.4).answer(SearchRequest(query="red boot"))
    shares = answer.shares
    assert shares.words == 0.4
    assert shares.picture == pytest.approx(0.6 * answer.gate)
    assert shares.text + shares.picture + shares.words == pytest.approx(1)
    assert set(answer.milliseconds) >= {"encode", "vectors", "words", "ranking", "facets", "total"}


@pytest.mark.parametrize("least", [0.3, 0.5, 0.9])
def test_items_that_are_not_relevant_enough_do_not_match(
    shops, monkeypatch: pytest.MonkeyPatch, least: float
):
    shop = shops(0.4)
    monkeypatch.setattr(
        shop, "relevance", lambda _text, scores: 1 / (1 + np.exp(-8 * scores.astype(float)))
    )
    request = SearchRequest(
        query="red boot",
        filters=AnyOf("brand", ("Acme", "Zeta")),
        min_relevance=least,
        facets=("brand",),
        limit=5,
    )
    answer = shop.answer(request)
    relevant = 1 / (1 + np.exp(-8 * score_all(shop, "red boot"))) >= least
    brands = np.array([item["brand"] for item in items_of(shop)])
    assert answer.total == (relevant & np.isin(brands, ["Acme", "Zeta"])).sum()
    # Counted without its own filter, and relevant all the same.
    assert answer.facets["brand"].counts == dict(Counter(brands[relevant & (brands != "")]))
    assert all(hit.relevance >= least for hit in answer.hits)


def test_of_what_is_relevant_enough_the_best_are_sorted(shops, monkeypatch: pytest.MonkeyPatch):
    shop = shops(0.4)
    monkeypatch.setattr(shop, "relevance", lambda _text, scores: (scores > 0.1).astype(float))
    answer = shop.answer(
        SearchRequest(query="red boot", min_relevance=1.0, sort="price", sort_among=5, limit=50)
    )
    best = np.argsort(-score_all(shop, "red boot"), kind="stable")[:5]
    assert {hit.item_id for hit in answer.hits} == set(ids(shop, best.tolist()))
    prices = [np.inf if hit.price is None else hit.price for hit in answer.hits]
    assert prices == sorted(prices)


@pytest.fixture
def reading(shops, monkeypatch: pytest.MonkeyPatch) -> Retriever:
    """Return a shop that reads misspelled queries."""
    shop = shops(0.4)
    titles = [item["title"] for item in items_of(shop)]
    spelling = Spelling.of(read_letters(titles), {}, shop.index.words)
    monkeypatch.setattr(shop, "index", replace(shop.index, spelling=spelling))
    return shop


def test_misspelled_query_finds_what_the_right_one_finds(reading: Retriever):
    typed, right = SearchRequest(query="Red  SANDLA"), SearchRequest(query="red sandal")
    slip, plain, exact = reading.answer_many([typed, right, replace(typed, correct=False)])
    assert (slip.query, slip.corrected) == ("Red  SANDLA", "red sandal")
    assert (plain.corrected, exact.corrected) == ("", "")
    assert slip.hits == plain.hits
    assert (slip.gate, slip.shares) == (plain.gate, plain.shares)
    expected_scores = np.sort(score_all(reading, "red sandla"))[::-1][:10].tolist()
    found = [hit.score for hit in exact.hits]
    assert found == pytest.approx(expected_scores, abs=2e-6)
    assert reading.gate("red sandla") == plain.gate
    assert reading.search("red sandla", 3) == reading.search("red sandal", 3)
    assert reading.search("red sandla", 3, correct=False) == list(exact.hits[:3])


def test_corrected_query_is_told_in_every_form(reading: Retriever):
    answer = reading.answer(SearchRequest(query="red sandla", explain=True))
    assert answer.as_dict()["corrected"] == orjson.loads(answer_bytes(answer, 0))["corrected"]
    assert "searched for: red sandal " in answer_table(answer)
    assert result(answer, {})["corrected"] == "red sandal"
    assert [reason.word for reason in answer.reasons] == ["red", "sandal"]
    assert "searched for" not in answer_table(reading.answer(SearchRequest(query="red sandal")))


@pytest.mark.parametrize("share", SHARES)
def test_what_a_query_denies_is_left_out_of_hits_total_and_facets(shops, share: float):
    shop = shops(share)
    request = SearchRequest(
        query="boot not red", filters=AnyOf("brand", ("Acme",)), facets=("brand", "availability")
    )
    answer = shop.answer(request)
    rest = replace(request, query="boot", limit=NUM)
    items = items_of(shop)
    is_red = {item["item_id"] for item in items if item["title"].startswith("red")}
    left = [hit.item_id for hit in shop.answer(rest).hits if hit.item_id not in is_red]
    assert answer.left_out == ("red",)
    assert [hit.item_id for hit in answer.hits] == left[:10]
    assert answer.total == len(left)
    brands = Counter(item["brand"] for item in items if item["item_id"] not in is_red)
    del brands[""]
    assert answer.facets["brand"].counts == brands
    stock = Counter(item["availability"] for item in items if item["item_id"] in left)
    assert answer.facets["availability"].counts == stock
    assert shop.gate("boot not red") == answer.gate == shop.gate("boot")


def test_what_is_left_out_is_told_as_it_was_typed_unless_the_query_is_told_as_it_was_read(
    reading: Retriever,
):
    typed = ("atlas not sandal", "atlas without sandals", "atlas not sandla")
    answers = [reading.answer(SearchRequest(query=query)) for query in typed]
    assert [answer.corrected for answer in answers] == ["", "", "atlas not sandal"]
    assert [answer.left_out for answer in answers] == [("sandal",), ("sandals",), ("sandal",)]
    assert len({answer.total for answer in answers}) == 1


def test_queries_that_deny_something_are_answered_beside_others_and_as_typed(shops):
    shop = shops(0.4)
    plain, denied, other = (
        SearchRequest(query=query) for query in ("boot", "boot without blue", "boot not red")
    )
    typed = replace(denied, correct=False)
    alone = [shop.answer(request) for request in (plain, denied, other, typed)]
    together = shop.answer_many([plain, denied, other, typed])
    assert [each.hits for each in together] == [each.hits for each in alone]
    assert [each.left_out for each in together] == [(), ("blue",), ("red",), ()]
    scores = np.sort(score_all(shop, "boot without blue"))[::-1][:10]
    assert [hit.score for hit in together[3].hits] == pytest.approx(scores.tolist(), abs=2e-6)


def test_what_is_left_out_is_told_in_every_form(shops):
    answer = shops(0.4).answer(SearchRequest(query="boot not red or blue", explain=True))
    told = ["red", "blue"]
    assert answer.as_dict()["left_out"] == told
    assert orjson.loads(answer_bytes(answer, 0))["left_out"] == told
    assert result(answer, {})["left_out"] == told
    assert "left out: red, blue " in answer_table(answer)
    assert [reason.word for reason in answer.reasons] == ["boot"]


def test_answer_is_weak_by_its_best_item_on_whatever_page_and_says_so_in_every_form(
    shops, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    shop, asked = shops(0.4), SearchRequest(query="red boot")
    best = shop.answer(asked).hits[0].score
    monkeypatch.setattr(shop, "relevance", lambda _text, scores: 0.9 * (scores >= best) + 0.0)
    pages = [asked, replace(asked, offset=100), replace(asked, sort="price", limit=1)]
    pages += [replace(asked, collapse="brand", offset=2), replace(asked, min_relevance=0.5)]
    assert not any(answer.is_weak for answer in map(shop.answer, pages))
    monkeypatch.setattr(shop, "relevance", lambda _text, scores: 0.4 * (scores >= best) + 0.0)
    assert all(answer.is_weak for answer in map(shop.answer, pages[:4]))
    weak = shop.answer(asked)
    told = "no hit is more likely relevant than not"
    blind = SimpleNamespace(pictures=SimpleNamespace(pixels=lambda _sha: None))
    assert orjson.loads(answer_bytes(weak, 0))["weak"] is result(weak, {})["weak"] is True
    write_search_page(tmp_path / "page.html", blind, weak)
    page = (tmp_path / "page.html").read_text()
    assert told in answer_table(weak)
    assert told in page
    assert "relevance 0.40" in page
    none = shop.answer(pages[4])
    write_search_page(tmp_path / "page.html", blind, none)
    assert answer_table(none).splitlines()[-1] == "no item matches"
    assert "no item matches" in (tmp_path / "page.html").read_text()
    assert "no item matches" not in answer_table(shop.answer(replace(asked, limit=0)))


def test_everything_that_the_items_cannot_do_is_told_at_once(shops):
    request = SearchRequest(
        query="boot",
        filters=All((AnyOf("brnd", ("Acme",)), Between("title", lt=3.0), AnyOf("price", ("x",)))),
        facets=("colr",),
        collapse="grp",
        sort="brand",
        min_relevance=0.5,
        release="v7",
    )
    with pytest.raises(RequestError) as error:
        shops(0.0).answer(request)
    assert [problem.field for problem in error.value.problems] == [
        "release", "min_relevance", "filters.brnd", "filters.title", "filters.price",
        "facets.colr", "collapse.grp", "sort",
    ]  # fmt: skip
    assert "Did you mean 'brand'?" in str(error.value)


def test_hits_hold_what_ingest_kept(shops):
    shop = shops(0.0)
    hit = shop.answer(SearchRequest(filters=AnyOf("item_id", ("i0001",)))).hits[0].as_dict()
    frame = item_frame(NUM).iloc[1]
    assert hit["title"] == frame["title"]
    assert hit["more"].keys() <= {"material", "stars"}
    assert hit["sale_from"] == "2025-01-01T00:00:00+00:00"
    assert hit["price_max"] is None
    assert hit["pictures"] == ["sha1"]
    assert "image_ids" not in hit
    times = SearchRequest(filters=Between("sale_from", gte="2025-01-01", lt="2025-01-02"), limit=0)
    assert shop.answer(times).total == NUM - NUM // 3


@pytest.mark.parametrize("kind", ["IVF", "HNSW"])
def test_approximate_index_is_filtered_as_well_as_it_searches(
    module_model: DualEncoder, monkeypatch: pytest.MonkeyPatch, kind: str
):
    """Few items are scored all; of many no fewer are found than without a filter."""
    number = 1500
    monkeypatch.setattr("smar.index.ann._EXACT_ROWS", number // 5)
    if kind == "HNSW":
        monkeypatch.setattr("smar.index.settings._CODES", 10**9)
    shop = build_shop(module_model, item_frame(number), vectors_of(number), 0.0, exact_below=0)
    assert shop.index.vectors.details["kind"].startswith(kind)
    for condition in (
        AnyOf("stars", ("5",)), Between("price", lt=5.0), AnyOf("category", ("Shoes",)),
        Not(AnyOf("brand", ("Acme",))),
    ):  # fmt: skip
        request = SearchRequest(query="red boot", filters=condition, limit=10)
        found = [hit.item_id for hit in shop.answer(request).hits]
        best = ids(shop, expected(shop, request)[:10])
        is_few = shop.fields.mask(condition).mean() <= 0.2
        assert found == best if is_few else len(set(found) & set(best)) >= 9


def test_settings_of_one_request_are_those_of_a_release_that_has_them(shops):
    own, other = shops(0.0), shops(0.4)
    plain = SearchRequest(query=QUERIES[0], limit=30)
    tried = SearchRequest(query=QUERIES[0], limit=30, word_share=0.4)
    gated = SearchRequest(query=QUERIES[0], limit=30, gate=1.0)
    empty = SearchRequest(limit=3, gate=0.5)
    together = own.answer_many([plain, tried, gated, empty])
    alone = [own.answer(each) for each in (plain, tried, gated, empty)]
    found = [[(hit.item_id, hit.score) for hit in answer.hits] for answer in together]
    assert found == [[(hit.item_id, hit.score) for hit in answer.hits] for answer in alone]
    assert found[1] == [(hit.item_id, hit.score) for hit in other.answer(plain).hits]
    assert found[1] != found[0]
    assert together[1].shares == other.answer(plain).shares
    query = encode_queries(own.model, [QUERIES[0]]).vector[0]
    pictures = own.index.vectors.shards[0].vectors[:, len(query) :] @ query
    best = [own.items.row(hit.item_id) for hit in together[2].hits]
    assert together[2].shares == Shares(0.0, 1.0, 0.0)
    assert best == np.argsort(-pictures, kind="stable")[:30].tolist()
    assert together[3].gate == 0.0


def test_hits_of_other_settings_have_no_relevance(shops):
    calibration = Calibration((5.0, 0.0), (-5.0, 5.0), (0.0, 1.0), 0.1, "made up")
    index = replace(shops(0.4).index, calibration=calibration)
    shop = Retriever(lambda: shops(0.4).model, index, shops(0.4).items, root=None, release="v1")
    told = [
        [hit.relevance is None for hit in shop.answer(SearchRequest(query="red boot", **own)).hits]
        for own in ({}, {"gate": 0.2}, {"word_share": 0.1})
    ]
    assert told == [[False] * 10, [True] * 10, [True] * 10]
    with pytest.raises(RequestError, match="calibrated for another word_share or gate"):
        SearchRequest(query="red boot", gate=0.2, min_relevance=0.5)


def test_share_that_a_request_gives_holds_for_words_that_no_search_used(shops):
    own = shops(0.4)
    unseen = UnseenWords.of(own.index.words, [], 0.7)
    index = replace(own.index, unseen=unseen)
    shop = Retriever(lambda: own.model, index, own.items, root=None, release="v1")
    words = [
        shop.answer(SearchRequest(query=QUERIES[0], word_share=share)).shares.words
        for share in (None, 0.1)
    ]
    assert words == [0.7, 0.1]


def test_counts_that_are_remembered_are_of_their_own_filter_and_number(shops):
    fields = shops(0.3).fields
    cheap, dear = Between("price", lt=20.0), Between("price", gte=20.0)
    for condition in (cheap, dear, cheap, All(())):
        for most in (1, 100):
            found = fields.facet(condition, "brand", most)
            assert found == fields.column("brand").facet(fields.mask(condition), most)
            assert found is fields.facet(condition, "brand", most)
    with pytest.raises(ValueError, match="read-only"):
        fields.allowed(cheap).mask[0] = True


def test_a_hastened_shop_answers_as_before(shops):
    shop = shops(0.3)
    again = Retriever(lambda: shop.model, shop.index, shop.items, shop.root)
    again.tower = shop.tower
    conditions = (All(()), Between("price", lt=20.0), AnyOf("brand", ("Acme",)))
    requests = [
        SearchRequest(query=query, filters=condition, limit=limit, explain=True)
        for query in ("red boot", "acme", "zzz", "")
        for condition in conditions
        for limit in (3, 1000)
    ]
    slow = shop.answer_many(requests)
    again.hasten()
    for before, after in zip(slow, again.answer_many(requests), strict=True):
        assert [hit.item_id for hit in before.hits] == [hit.item_id for hit in after.hits]
        scores = [[hit.score for hit in answer.hits] for answer in (before, after)]
        assert np.allclose(*scores, atol=2e-6)
