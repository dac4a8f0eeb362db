"""Items and pictures: what is there for ever is cached for ever, and nothing else is reached."""

import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from smar.paths import Paths
from smar.stages.ingest import run as ingest


def test_item_has_all_its_fields_and_pictures(client: TestClient):
    hit = client.get("/search?q=lamp&limit=1").json()["hits"][0]
    item = client.get(f"/items/{hit['item_id']}").json()
    assert item["title"] == hit["title"]
    assert item["pictures"] == hit["pictures"]
    assert item["release"] == "v1"
    assert client.get("/items/no/such/item").status_code == 404


def test_picture_comes_in_the_asked_size_and_is_not_sent_twice(client: TestClient):
    hits = client.get("/search?q=lamp&limit=9").json()["hits"]
    address = next(hit["pictures"][0] for hit in hits if hit["pictures"])
    response = client.get(f"{address}?w=8&form=png")
    assert response.headers["content-type"] == "image/png"
    assert "immutable" in response.headers["cache-control"]
    assert max(Image.open(BytesIO(response.content)).size) == 8
    again = client.get(
        f"{address}?w=8&form=png", headers={"if-none-match": response.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert max(Image.open(BytesIO(client.get(address).content)).size) == 16


def test_picture_whose_store_fails_is_missed_for_a_moment(
    small_project: Path,
    serve: Callable[..., TestClient],
    change_params: Callable[[Path, dict[str, Any]], None],
):
    store = small_project / "store"
    store.mkdir()
    change_params(small_project, {"ingest.images.store": str(store)})
    ingest(small_project)
    shutil.rmtree(Paths(small_project).shards)
    (shard,) = store.glob("*.npy")
    away = shard.rename(small_project / "away.npy")
    client = serve()
    hits = client.get("/search?q=lamp&limit=9").json()["hits"]
    address = next(hit["pictures"][0] for hit in hits if hit["pictures"])
    missed = client.get(address)
    assert missed.status_code == 503
    assert missed.headers["cache-control"] == "no-store"
    away.rename(shard)
    assert max(Image.open(BytesIO(client.get(address).content)).size) == 16


@pytest.mark.parametrize("query", ["w=-1", "w=99999", "w=x", "form=svg"])
def test_picture_is_not_had_in_any_size_or_form(client: TestClient, query: str):
    hits = client.get("/search?q=lamp&limit=9").json()["hits"]
    address = next(hit["pictures"][0] for hit in hits if hit["pictures"])
    assert client.get(f"{address}?{query}").status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/pictures/..%2f..%2fparams.yaml",
        "/static/..%2f..%2f..%2f..%2fparams.yaml",
        "/static/%2e%2e/app.py",
        "/items/..%2f..%2fparams.yaml",
        "/static/",
    ],
)
def test_no_path_leads_out(client: TestClient, path: str):
    assert client.get(path).status_code == 404


def test_page_loads_nothing_from_other_hosts(client: TestClient):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    files = [
        "app.js",
        "api.js",
        "view.js",
        "facets.js",
        "compare.js",
        "suggestions.js",
        "style.css",
    ]
    texts = [page.text, *(client.get(f"/static/{name}").text for name in files)]
    assert not [text for text in texts if "http://" in text or "https://" in text]
    assert not [text for text in texts if "innerHTML" in text or " style=" in text]
