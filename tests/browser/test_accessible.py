"""Each view of the page through axe: nothing serious, and nothing critical."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import serving, settled, watched

pytestmark = pytest.mark.browser
VIEWS = {
    "start": "",
    "search": "?q=red+lamp",
    "narrowed": "?q=lamp&brand=nobody&from=5",
    "nothing": "?q=lamp&from=999999",
    "compare": "?q=red+lamp&mode=compare",
    "judge": "?q=red+lamp&mode=judge",
    "lost": "?similar=no-such-item",
}
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def address(two_releases: Path) -> Iterator[str]:
    with serving(two_releases, per_client_s=0.0) as (served, _):
        yield served


def found_by_axe(page: Any, packages: Path) -> list[str]:
    """Return what axe finds serious or critical, with the elements it means."""
    # As a program of the browser, not of the page: its policy lets no other script in.
    page.evaluate((packages / "axe-core/axe.min.js").read_text(encoding="utf-8"))
    told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert told["passes"], "axe looked at nothing"
    return [
        f"{each['impact']} {each['id']}: {[node['target'] for node in each['nodes']][:3]}"
        for each in told["violations"]
        if each["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious(
    browser: Any, address: str, packages: Path, view: str, scheme: str
):
    options = {"color_scheme": scheme, "viewport": PHONE if scheme == "dark" else DESK}
    # The browser itself reports a status such as 404.
    with watched(browser, address, expected="the server responded", **options) as page:
        page.goto(address + VIEWS[view])
        settled(page)
        assert found_by_axe(page, packages) == []


def test_axe_finds_nothing_serious_in_what_opens(browser: Any, address: str, packages: Path):
    with watched(browser, address) as page:
        page.goto(f"{address}?q=red+lamp")
        settled(page)
        page.get_by_role("button", name="Why this?").first.click()
        page.locator("#query").fill("")
        page.locator("#query").type("lam", delay=20)
        page.wait_for_selector("#suggestions li")
        page.keyboard.press("ArrowDown")
        assert found_by_axe(page, packages) == []


def test_axe_would_find_what_is_wrong(browser: Any, address: str, packages: Path):
    with watched(browser, address) as page:
        page.goto(address)
        settled(page)
        page.evaluate("document.querySelector('#query').previousElementSibling.remove()")
        page.evaluate("document.querySelector('#query').removeAttribute('placeholder')")
        assert any("label" in each for each in found_by_axe(page, packages))
