"""The page in a real browser: what a person does with it, by mouse, keys and on a phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.browser.conftest import serving, settled, watched

pytestmark = [pytest.mark.whole, pytest.mark.browser]
HITS = ".grid .card"


@pytest.fixture(scope="module")
def address(two_releases: Path) -> Iterator[str]:
    with serving(two_releases) as (served, _):
        yield served


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page at the start."""
    with watched(browser, address) as opened:
        opened.goto(address)
        opened.wait_for_selector(HITS)
        yield opened


def titles(page: Any) -> list[str]:
    return page.locator(f"{HITS} h3").all_inner_texts()


def shares(page: Any, side: int) -> str:
    """Return what counted on a side, its blanks as people type them."""
    return " ".join(page.locator(".sides .shares").nth(side).inner_text().split())


def test_misspelled_query_says_what_was_searched_and_goes_back(page: Any):
    page.locator("#query").fill("red lmap")
    page.locator("#query").press("Enter")
    page.wait_for_url("**/?q=red+lmap")
    settled(page)
    assert (
        page.locator("#read").inner_text() == "Searched for red lamp. Search instead for red lmap"
    )
    mended = titles(page)
    assert "lamp" in mended[0].lower()
    page.get_by_role("button", name="red lmap").click()
    page.wait_for_url("**exact=1**")
    settled(page)
    assert not page.locator("#read").is_visible()
    page.locator("#query").fill("red lamp")
    page.locator("#query").press("Enter")
    settled(page)
    assert "exact" not in page.url
    assert titles(page) == mended


def test_search_as_you_type_facets_and_pages(page: Any):
    browsed = titles(page)
    page.keyboard.press("/")
    page.keyboard.type("red lamp", delay=20)
    page.wait_for_url("**/?q=red+lamp")
    settled(page)
    assert titles(page) != browsed
    assert "lamp" in titles(page)[0].lower()
    assert page.locator("#shares .bar").get_attribute("aria-label").startswith("How much counts")
    assert page.locator(".price").first.inner_text().split()[-1] == "EUR"
    box = page.locator("#groups fieldset").first.locator("input").first
    box.check()
    settled(page)
    assert page.locator("#chosen").inner_text() == "(1)"
    assert page.title() == "red lamp - smar"
    narrowed = titles(page)
    page.get_by_role("button", name="Clear filters").click()
    settled(page)
    assert page.locator("#groups input:checked").count() == 0
    page.go_back()
    settled(page)
    assert titles(page) == narrowed
    address = page.url
    page.go_back()
    settled(page)
    assert page.url != address
    page.goto(address)
    settled(page)
    assert page.locator("#groups input:checked").count() == 1
    page.goto(address.split("?")[0])
    page.get_by_label("Page 2").click()
    settled(page)
    assert page.locator(".rank").first.inner_text() == "25"


def test_keyboard_moves_between_items_and_escape_leaves_the_box(page: Any):
    page.locator("#query").click()
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    place = (
        "[...document.querySelectorAll('.card')].indexOf(document.activeElement.closest('.card'))"
    )
    assert page.evaluate(place) == 1
    page.keyboard.press("Enter")
    page.wait_for_url("**/?similar=*")
    settled(page)
    assert page.get_by_text("Similar to").is_visible()
    page.get_by_role("button", name="Back to the search").click()
    settled(page)
    assert "similar" not in page.url


def test_reasons_and_suggestions_are_shown(page: Any, address: str):
    page.goto(f"{address}?q=red+lamp")
    settled(page)
    page.get_by_role("button", name="Why this?").first.click()
    assert "vectors alone" in page.locator(".why").inner_text()
    assert (
        page.get_by_role("button", name="Why this?").first.get_attribute("aria-expanded") == "true"
    )
    page.get_by_role("button", name="Why this?").first.click()
    assert page.locator(".why").count() == 0
    page.locator("#query").fill("")
    page.locator("#query").type("lam", delay=20)
    page.wait_for_selector("#suggestions li")
    page.keyboard.press("ArrowDown")
    chosen = page.locator('#suggestions li[aria-selected="true"]').inner_text()
    page.keyboard.press("Enter")
    settled(page)
    assert page.locator("#query").input_value() in chosen


def test_two_releases_stand_side_by_side_and_what_moved_is_marked(page: Any, address: str):
    page.goto(f"{address}?q=red+lamp&mode=compare")
    settled(page)
    heads = page.locator(".sides h2").all_inner_texts()
    assert [head.split(":")[0] for head in heads] == ["v2", "v1"]
    marks = set(page.locator(".moved").all_inner_texts())
    assert any(mark[0] in "\u25b2\u25bc" for mark in marks)
    sides = [
        side.locator(".card").evaluate_all("cards => cards.map(card => card.dataset.id)")
        for side in page.locator(".sides section").all()
    ]
    same = sum(left == right for left, right in zip(*sides, strict=True))
    assert page.locator("#about").inner_text().startswith(f"{same} of {len(sides[0])} hits")
    page.get_by_label("Release on the left").select_option("v1")
    settled(page)
    assert set(page.locator(".moved").all_inner_texts()) == {"="}
    page.reload()
    settled(page)
    assert page.get_by_label("Release on the left").input_value() == "v1"


def test_two_settings_of_one_release_stand_side_by_side(page: Any, address: str):
    page.goto(f"{address}?q=red+lamp&mode=compare&right=v2")
    settled(page)
    page.get_by_label("Release on the right").select_option("v2")
    settled(page)
    assert set(page.locator(".moved").all_inner_texts()) == {"="}
    page.get_by_label("Words on the right").fill("0")
    page.keyboard.press("Tab")
    page.wait_for_selector("h2:has-text('words 0')")
    settled(page)
    heads = page.locator(".sides h2").all_inner_texts()
    assert [head.split(":")[0] for head in heads] == ["v2", "v2, words 0"]
    assert "words 0 %" in shares(page, 1)
    assert any(mark[0] in "\u25b2\u25bco" for mark in page.locator(".moved").all_inner_texts())
    page.get_by_label("Picture on the left").fill("1")
    page.keyboard.press("Tab")
    page.wait_for_selector("h2:has-text('picture 1')")
    page.reload()
    settled(page)
    assert page.get_by_label("Words on the right").input_value() == "0"
    assert page.get_by_label("Picture on the left").input_value() == "1"
    assert "text 0 %" in shares(page, 0)


def test_grades_become_a_file_that_ingest_reads(page: Any, address: str):
    page.goto(f"{address}?q=red+lamp&mode=judge")
    settled(page)
    page.locator(f"{HITS} .photo").first.focus()
    page.keyboard.press("3")
    page.wait_for_selector('.grades button[data-grade="3"][aria-pressed="true"]')
    page.reload()
    settled(page)
    assert page.locator('.grades button[aria-pressed="true"]').count() == 1
    page.get_by_role("button", name="Hand over all grades").click()
    page.wait_for_selector("text=1 grades are where the next ingest reads them")


def test_settled_searches_and_clicks_are_logged_and_letters_are_not(page: Any, address: str):
    sent: list[tuple[str, Any]] = []
    page.on("request", lambda asked: sent.append((asked.url, orjson.loads(asked.post_data)))
            if "/ubi_" in asked.url else None)  # fmt: skip
    page.locator("#query").type("blue bag", delay=30)
    page.wait_for_timeout(1600)
    page.get_by_role("button", name="Similar").nth(1).click()
    settled(page)
    queries = [record for url, records in sent if url.endswith("queries") for record in records]
    events = [record for url, records in sent if url.endswith("events") for record in records]
    assert [record["user_query"] for record in queries] == ["blue bag"]
    assert [record["query_id"] for record in events] == [queries[0]["query_id"]]
    assert events[0]["event_attributes"]["position"]["ordinal"] == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_a_phone_in_light_and_dark(browser: Any, address: str, scheme: str):
    phone = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    phone.goto(f"{address}?q=red+lamp")
    phone.wait_for_selector(HITS)
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    assert not phone.locator("#groups").is_visible()
    phone.locator("#filters summary").click()
    assert phone.locator("#groups").is_visible()
    colour = phone.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(19, 23, 22)") is (scheme == "dark")
    phone.close()
