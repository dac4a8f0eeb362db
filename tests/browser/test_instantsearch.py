"""InstantSearch's widgets from npm on a shop's own page; what they show is what /search answers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.browser.conftest import serving, watched

pytestmark = pytest.mark.browser
PER_PAGE = 8
BOX = "#searchbox input"
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def address(two_releases: Path, shop: str) -> Iterator[str]:
    with serving(two_releases, origins=[shop]) as (served, _):
        yield served


@pytest.fixture(scope="module")
def ask(address: str) -> Ask:
    """Search by the service's own route."""

    def search(text: str = "", **body: Any) -> dict[str, Any]:
        content = {"query": text, "limit": PER_PAGE, "track": False, **body}
        response = httpx.post(f"{address}search", json=content, timeout=30)
        assert response.status_code == 200, response.text
        return response.json()

    return search


@pytest.fixture
def page(browser: Any, shop: str, address: str) -> Iterator[Any]:
    with watched(browser, shop, address, "data:") as opened:
        opened.goto(f"{shop}/shop.html?service={address.split('/')[2]}")
        settled(opened)
        yield opened


def settled(page: Any) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_function(
        "window.search && search.status === 'idle' && search.helper?.lastResults"
    )


def shown(page: Any, where: str = "#hits") -> list[str]:
    found = page.locator(f"{where} article")
    return [each.get_attribute("data-id") for each in found.all()]


def ids(answer: dict[str, Any]) -> list[str]:
    return [hit["item_id"] for hit in answer["hits"]]


def type_in(page: Any, text: str) -> None:
    page.locator(BOX).fill(text)
    page.wait_for_function("text => search.helper.lastResults.query === text", arg=text)
    settled(page)


def counts_of(page: Any, where: str) -> dict[str, int]:
    """Return the values that a list of facets shows, with their counts."""
    counts = page.locator(f"{where} [class$=-count]").all()
    labels = [each.locator("xpath=..").inner_text() for each in counts]
    numbers = [each.inner_text() for each in counts]
    return {
        label.strip().removesuffix(number).strip(): int(number.replace(",", ""))
        for label, number in zip(labels, numbers, strict=True)
    }


def test_search_box_hits_stats_and_highlights(page: Any, ask: Ask):
    assert shown(page) == ids(ask())
    type_in(page, "red lamp")
    answer = ask("red lamp")
    assert shown(page) == ids(answer)
    assert page.locator("#stats").inner_text().startswith(f"{answer['total']} results found")
    marked = page.locator("#hits article").first.locator("mark").all_inner_texts()
    assert {word.lower() for word in marked} & {"red", "lamp"}
    picture = page.locator("#hits img").first
    assert picture.evaluate("each => each.complete && each.naturalWidth") > 0


def test_refinement_list_narrows_counts_and_searches_its_values(page: Any, ask: Ask):
    type_in(page, "lamp")
    before = ask("lamp", facets=["brand"])["facets"]["brand"]["counts"]
    listed = counts_of(page, "#brand")
    assert listed
    assert {name: before[name] for name in listed} == listed
    first, second = list(listed)[:2]
    page.locator("#brand label", has_text=first).locator("input").check()
    settled(page)
    page.locator("#brand label", has_text=second).locator("input").check()
    settled(page)
    answer = ask("lamp", filters={"brand": [first, second]}, facets=["brand"])
    assert shown(page) == ids(answer)
    assert page.evaluate("search.helper.lastResults.nbHits") == answer["total"]
    # What narrows a list does not narrow its own counts.
    assert counts_of(page, "#brand").items() <= before.items()
    page.locator("#brand .ais-SearchBox-input").fill(second[:4].lower())
    page.wait_for_function("text => document.querySelectorAll('#brand label').length < 3", arg="")
    assert second in " ".join(page.locator("#brand label").all_inner_texts())


def test_range_widgets_narrow_by_price(page: Any, ask: Ask):
    stats = ask("", facets=["price"])["facets"]["price"]["stats"]
    least, most = page.locator("#range input").all()
    assert float(least.get_attribute("placeholder")) <= stats["min"]
    assert float(most.get_attribute("placeholder")) >= stats["max"]
    least.fill("20")
    most.fill("60")
    page.locator("#range button").click()
    settled(page)
    answer = ask("", filters={"price": {"gte": 20, "lte": 60}})
    assert 0 < answer["total"] < ask()["total"]
    assert page.evaluate("search.helper.lastResults.nbHits") == answer["total"]
    assert shown(page) == ids(answer)
    handle = page.locator("#slider .rheostat-handle").first
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("search.helper.state.numericRefinements.price['>='][0] > 20")
    settled(page)
    (state,) = page.evaluate("[search.helper.state.numericRefinements.price]")
    bounds = {
        {">=": "gte", "<=": "lte"}[sign]: values[0] for sign, values in state.items() if values
    }
    answer = ask("", filters={"price": bounds})
    assert page.evaluate("search.helper.lastResults.nbHits") == answer["total"]


def test_hierarchical_menu_goes_down_a_level(page: Any, ask: Ask):
    facets = ask(facets=["category.lvl0", "category.lvl1"])["facets"]
    listed = counts_of(page, "#menu")
    top = facets["category.lvl0"]["counts"]
    assert listed == {name: top[name] for name in listed}
    parents = {name.split(" > ")[0] for name in facets["category.lvl1"]["counts"]}
    name = next(each for each in listed if each in parents)
    page.locator("#menu a", has_text=name).first.click()
    settled(page)
    answer = ask(filters={"category.lvl0": [name]}, facets=["category.lvl1"])
    assert shown(page) == ids(answer)
    children = {
        each.split(" > ")[-1]: number
        for each, number in answer["facets"]["category.lvl1"]["counts"].items()
    }
    lower = "#menu .ais-HierarchicalMenu-list--child"
    assert counts_of(page, lower) == children
    label = next(iter(children))
    page.locator(f"{lower} a", has_text=label).click()
    settled(page)
    answer = ask(filters={"category.lvl1": [f"{name} > {label}"]})
    assert shown(page) == ids(answer)
    assert page.evaluate("search.helper.lastResults.nbHits") == answer["total"] == children[label]


def test_pages_and_orders(page: Any, ask: Ask):
    type_in(page, "lamp")
    page.get_by_label("Page 2", exact=False).first.click()
    settled(page)
    assert shown(page) == ids(ask("lamp", offset=PER_PAGE))
    page.locator("#sort select").select_option("items_price_asc")
    settled(page)
    cheap = ask("lamp", sort="price")
    assert shown(page) == ids(cheap)
    prices = [hit["price"] for hit in cheap["hits"]]
    assert prices == sorted(prices)
    page.locator("#sort select").select_option("items_price_desc")
    settled(page)
    assert shown(page) == ids(ask("lamp", sort="-price"))


def test_clearing_takes_everything_back(page: Any, ask: Ask):
    page.locator("#brand input[type=checkbox]").first.check()
    settled(page)
    page.locator("#range input").first.fill("30")
    page.locator("#range button").click()
    settled(page)
    assert page.evaluate("search.helper.lastResults.nbHits") < ask()["total"]
    page.locator("#clear button").click()
    settled(page)
    assert page.evaluate("search.helper.lastResults.nbHits") == ask()["total"]
    assert shown(page) == ids(ask())
    assert page.locator("#clear button").is_disabled()


def test_infinite_hits_go_on_where_they_ended(browser: Any, shop: str, address: str, ask: Ask):
    with watched(browser, shop, address, "data:") as page:
        page.goto(f"{shop}/shop.html?infinite&service={address.split('/')[2]}")
        settled(page)
        type_in(page, "bag")
        for _ in range(2):
            page.locator(".ais-InfiniteHits-loadMore").click()
            settled(page)
        assert shown(page, "#infinite") == ids(ask("bag", limit=3 * PER_PAGE))
        page.locator(BOX).fill("<script>alert(1)</script>" + "x" * 300)
        settled(page)
        page.locator(BOX).fill("")
        settled(page)
        assert shown(page, "#infinite") == ids(ask())
