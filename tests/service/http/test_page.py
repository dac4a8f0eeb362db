"""The page in a real browser, against the service on a real socket."""

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvicorn

from smar.service.http.app import build_app
from smar.service.http.service import Service
from smar.service.http.settings import Settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(not CHROMIUM, reason="needs a browser: apt-get install chromium"),
]
HITS = ".grid .card"


@pytest.fixture(scope="module")
def address(shared_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("page") / "project"
    shutil.copytree(shared_project, root, symlinks=True)
    service = Service(root, Settings(log_free_mb=0.0, access_log=False, encoder="torch"))
    config = uvicorn.Config(build_app(service), port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page at the start; what the browser complains of fails the test."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None,
    )
    opened.on("request", lambda asked: complaints.append(asked.url)
              if not asked.url.startswith(address) else None)  # fmt: skip
    opened.goto(address)
    opened.wait_for_selector(HITS)
    yield opened
    opened.close()
    assert complaints == []


def titles(page: Any) -> list[str]:
    return page.locator(f"{HITS} h3").all_inner_texts()


def settled(page: Any) -> None:
    """Wait until nothing is asked of the service any more."""
    page.wait_for_load_state("networkidle")
    page.wait_for_selector("body:not(.busy)")


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
    assert "by vectors alone" in page.locator(".why").inner_text()
    page.locator("#query").fill("")
    page.locator("#query").type("lam", delay=20)
    page.wait_for_selector("#suggestions li")
    page.keyboard.press("ArrowDown")
    chosen = page.locator('#suggestions li[aria-selected="true"]').inner_text()
    page.keyboard.press("Enter")
    settled(page)
    assert page.locator("#query").input_value() in chosen


def test_two_releases_stand_side_by_side(page: Any, address: str):
    page.goto(f"{address}?q=red+lamp&mode=compare")
    settled(page)
    assert page.locator(".sides section").count() == 2
    assert set(page.locator(".moved").all_inner_texts()) == {"="}


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
