"""Where things go wrong: hostile texts, no pictures, nothing found, a service that is away."""

import csv
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smar.cli import STAGES, main
from tests.browser.conftest import serving, settled, watched

pytestmark = pytest.mark.browser
CODE = "<script>window.broken=1</script><img src=x onerror=window.broken=1>"
# Ingest takes HTML out of titles; these are none to it, and would be to a page that trusted them.
HARM = '"><svg/onload=window.broken=1> lamp <img src=x onerror=window.broken=1 '
ITEMS = [
    ("i<b>'\"&/../x", HARM, '<b>Bold</b> & "Co"', "javascript:window.broken=1"),
    ("long", "lamp " + "unbreakable" * 60, "Acme", ""),
    ("other way", "\u202elamp \u0645\u0635\u0628\u0627\u062d \U0001f4a1", "Acme", ""),
    ("linked", "linked lamp", "Acme", "https://shop.example/a?b=1&c='2'"),
]


@pytest.fixture(scope="module")
def bare(
    tmp_path_factory: pytest.TempPathFactory,
    small_parameters: Path,
    change_params: Callable[[Path, dict[str, Any]], None],
) -> Path:
    """A release of a feed without pictures, categories and log, with texts that mean harm."""
    root = tmp_path_factory.mktemp("bare")
    (root / "params.yaml").write_bytes(small_parameters.read_bytes())
    (root / "data/raw").mkdir(parents=True)
    with (root / "data/raw/products.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "title", "brand", "link", "price"])
        for number in range(120):
            name = f"{('red', 'blue', 'green')[number % 3]} {('lamp', 'bag')[number % 2]} {number}"
            rows.writerow([f"i{number}", name, f"Brand {number % 4}", "", f"{number + 1}.50 EUR"])
        rows.writerows([*item, "9.99 EUR"] for item in ITEMS)
    none = {"kind": "none"}
    change_params(
        root,
        {
            "ingest.source": "feed",
            "ingest.feed": {"file": "products.csv"},
            "ingest.log": none,
            "ingest.judgements": none,
        },
    )
    for stage in STAGES:
        assert main([stage, "-q", "--root", str(root)]) == 0, stage
    return root


@pytest.fixture(scope="module")
def address(bare: Path) -> Iterator[str]:
    with serving(bare) as (served, _):
        yield served


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    with watched(browser, address) as opened:
        opened.goto(address)
        settled(opened)
        yield opened


def look(page: Any, text: str) -> None:
    page.locator("#query").fill(text)
    page.keyboard.press("Enter")
    settled(page)


def card(page: Any, item_id: str) -> Any:
    number = page.locator(".card").evaluate_all(
        "(cards, id) => cards.findIndex(card => card.dataset.id === id)", item_id
    )
    assert number >= 0, f"{item_id} is not on the page"
    return page.locator(".card").nth(number)


def test_texts_of_items_stay_texts(page: Any, address: str):
    look(page, ITEMS[0][1])
    item = card(page, ITEMS[0][0])
    assert item.locator("h3").inner_text() == HARM.strip()
    assert item.locator("h3 *").count() == 0  # no link to a script either
    item.get_by_role("button", name="Similar").click()
    settled(page)
    assert page.get_by_text("Similar to").is_visible()
    page.reload()
    settled(page)
    assert page.get_by_text("Similar to").is_visible()
    page.goto(f"{address}?q=linked+lamp&mode=judge")
    settled(page)
    link = card(page, "linked").locator("h3 a")
    assert link.get_attribute("href") == "https://shop.example/a?b=1&c='2'"
    assert link.get_attribute("rel") == "noopener"
    look(page, HARM)
    item = card(page, ITEMS[0][0])
    item.locator('[data-grade="3"]').click()
    page.wait_for_selector('[data-grade="3"][aria-pressed="true"]')
    assert page.evaluate("window.broken") is None


def test_texts_of_people_stay_texts(page: Any, address: str):
    page.locator("#query").type(CODE[:60], delay=1)
    settled(page)
    look(page, CODE)
    assert page.locator("#results script, #results img, #about img").count() == 0
    page.goto(
        f"{address}?q=%3Cscript%3E&brand=%3Cimg%20src=x%20onerror=alert(1)%3E&from=abc&page=-1"
    )
    settled(page)
    assert page.get_by_text("Nothing fits all filters.").is_visible()
    page.get_by_role("button", name="Clear filters").click()
    settled(page)
    assert page.locator(".card").count() > 0
    assert page.evaluate("window.broken") is None


def test_very_long_queries_are_answered_and_do_not_widen_the_page(page: Any, address: str):
    look(page, "lamp " * 399)
    assert page.locator(".card").count() > 0
    assert len(page.locator("#query").input_value()) == len("lamp " * 399)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto(f"{address}?mode=judge&q={'lamp+' * 150}")
    settled(page)
    assert page.get_by_text("takes no grades").is_visible()
    assert page.locator(".grades").count() == 0
    look(page, "unbreakable" * 20)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_query_beyond_the_limit_is_told_in_words(browser: Any, address: str):
    with watched(browser, address, expected="status of 422") as page:
        page.goto(f"{address}?q={'x' * 2500}")
        settled(page)
        assert "2,000" in page.get_by_role("alert").inner_text()
        page.locator("#query").fill("lamp")
        page.keyboard.press("Enter")
        settled(page)
        assert page.locator(".card").count() > 0


def test_nothing_found_says_so_and_the_way_on_works(page: Any, address: str):
    page.goto(f"{address}?q=lamp&from=5000")
    settled(page)
    assert page.get_by_text("Nothing fits all filters.").is_visible()
    page.goto(f"{address}?q=lamp&page=77")
    settled(page)
    assert page.get_by_text("There is no page 77.").is_visible()
    page.get_by_label("Page 1", exact=True).click()
    settled(page)
    assert page.locator(".card").count() == 24


@pytest.mark.parametrize("width", [1280, 390])
def test_release_without_pictures_leaves_no_room_for_them(browser: Any, address: str, width: int):
    with watched(browser, address, viewport={"width": width, "height": 900}) as page:
        page.goto(f"{address}?q=red+lamp")
        settled(page)
        first = page.locator(".card").first
        assert page.locator(".bare").count() == 1
        assert not page.get_by_text("no picture").first.is_visible()
        assert first.bounding_box()["height"] < 220
        assert page.evaluate("document.documentElement.scrollWidth") == width
        first.get_by_role("button", name="Why this?").click()
        assert "words alone" in first.locator(".why").inner_text()
        first.locator(".photo").focus()
        page.keyboard.press("Enter")
        settled(page)
        assert page.get_by_text("Similar to").is_visible()


def test_page_says_that_the_service_is_away_and_goes_on_when_it_is_back(browser: Any, bare: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving(bare, port=port) as (address, _):
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{address}?q=lamp")
        settled(page)
        before = page.locator(".card h3").all_inner_texts()
        assert before
    page.locator("#query").fill("red bag")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert "cannot be reached" in page.get_by_role("alert").inner_text()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector("[role=alert]")
    page.get_by_role("button", name="Search").click()
    with serving(bare, port=port):
        page.wait_for_selector(".card", timeout=20_000)
        assert page.locator("[role=alert]").count() == 0
        assert "red bag" in page.locator(".card h3").first.inner_text()
        page.get_by_role("button", name="Compare").click()
        page.wait_for_selector(".sides")
        assert page.get_by_label("Release on the left").is_visible()
    context.close()
