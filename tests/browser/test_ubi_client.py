"""What OpenSearch's client sends from a shop's page is kept, and ingest reads all of it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pandas as pd
import pytest

from smar.cli import main
from smar.paths import Paths
from tests.browser.conftest import serving, settled, watched
from tests.service.http.shoppers import bring_feed_and_log

pytestmark = pytest.mark.browser


@pytest.fixture
def root(
    two_releases: Path, tmp_path: Path, change_params: Callable[[Path, dict[str, Any]], None]
) -> Path:
    """A project whose ingest reads a feed, and the log that the service writes."""
    made = Path(shutil.copytree(two_releases, tmp_path / "project", symlinks=True))
    shutil.rmtree(made / "data/raw", ignore_errors=True)  # other tests hand grades over there
    bring_feed_and_log(made, change_params)
    return made


def rows(root: Path) -> tuple[int, int]:
    """Return how many searches and engagements are read and accepted; none is set aside."""
    for stage in ("ingest", "validate"):
        assert main([stage, "-q", "--root", str(root)]) == 0
    paths = Paths(root)
    aside = pd.read_parquet(paths.quarantine / "quarantine.parquet")
    assert not set(aside["source"]) & {"searches", "engagements", "log files"}, aside
    return len(pd.read_parquet(paths.searches)), len(pd.read_parquet(paths.engagements))


def test_posts_of_the_client_and_of_the_page_reach_ingest(
    browser: Any, root: Path, shop: str, packages: Path
):
    before = rows(root)
    with serving(root, origins=[shop], events_need_key=False) as (address, service):
        with watched(browser, shop, address, "data:") as page:
            page.goto(f"{shop}/shop.html?service={address.split('/')[2]}")
            page.wait_for_function("window.search?.helper?.lastResults")
            found = httpx.post(f"{address}search", json={"query": "red lamp", "limit": 5}).json()
            hits = [hit["item_id"] for hit in found["hits"]]
            event = {
                "application": "shop", "client": "c1", "session": "s1", "query": found["query_id"],
                "object": {"field": "item_id", "id": hits[1], "description": "a <b>lamp</b>",
                           "price": 12.5},
                "more": {"position": {"ordinal": 2}},
            }  # fmt: skip
            for action, message in (("click", "seen"), ("add_to_cart", None), ("purchase", None)):
                told = page.evaluate(
                    "([base, event, message]) => trackEvent(base, event, message)",
                    [address.rstrip("/"), {**event, "action": action}, message],
                )
                assert told == {"kept": 1}
            # A search that another engine answered, with what it showed.
            query = {
                "application": "shop", "client": "c2", "query": "own-1", "text": "blue bag",
                "field": "item_id", "attributes": {"category": "Bags"},
            }  # fmt: skip
            told = page.evaluate(
                "([base, query]) => trackQuery(base, query)", [address.rstrip("/"), query]
            )
            assert told == {"kept": 1}
        with watched(browser, address) as page:
            page.goto(f"{address}?q=green+bag")
            settled(page)
            page.wait_for_timeout(300)
            page.get_by_role("button", name="Similar").nth(1).click()
            settled(page)
        assert service.log is not None
    after = rows(root)
    # Two searches that were shown, and one whose hits its client does not name.
    assert after[0] - before[0] == 3
    assert after[1] - before[1] == 4
    engaged = pd.read_parquet(Paths(root).engagements)
    ours = engaged[engaged["search_id"] == found["query_id"]]
    assert set(ours["item_id"]) == {hits[1]}
    assert set(ours["position"]) == {2}
    assert sorted(ours["action"]) == ["add_to_cart", "click", "purchase"]
