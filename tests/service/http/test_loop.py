"""The loop closed: what shoppers do with a running service trains the release it serves next."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from smar.paths import Paths
from tests.service.http.shoppers import (
    LENIENT,
    bring_feed_and_log,
    run_stages,
    served,
    shop_for_an_hour,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(
    tmp_path: Path, small_parameters: Path, change_params: Callable[[Path, dict[str, Any]], None]
) -> Path:
    """A project of a feed and a log that ends yesterday, with release v1."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "params.yaml").write_bytes(small_parameters.read_bytes())
    bring_feed_and_log(root, change_params)
    change_params(root, LENIENT)
    (root / "serve.yaml").write_text("per_client_s: 0\nlog_free_mb: 0\nencoder: torch\n")
    run_stages(root)
    return root


def test_shoppers_train_the_release_that_serves_them_next(shop: Path):
    paths = Paths(shop)
    texts = pd.read_parquet(paths.queries)["query"].tolist()
    before = {
        name: len(pd.read_parquet(getattr(paths, name))) for name in ("searches", "engagements")
    }
    with served(shop) as (process, client):
        first = shop_for_an_hour(client, texts, 1)
        os.kill(process.pid, signal.SIGKILL)
    with served(shop) as (_, client):
        second = shop_for_an_hour(client, texts, 2)
        assert client.get("/readyz").json()["release"] == "v1"
        client.post("/log/close", json={})
        run_stages(shop)
        quarantined = pd.read_parquet(paths.quarantine / "quarantine.parquet")
        assert not set(quarantined["source"]) & {"searches", "engagements", "log files"}
        for _ in range(300):
            if client.get("/readyz").json()["release"] == "v2":
                break
            time.sleep(0.1)
        assert client.get("/search?q=lamp").json()["release"] == "v2"
    after = {name: len(pd.read_parquet(getattr(paths, name))) for name in before}
    assert after["searches"] - before["searches"] == first[0] + second[0]
    assert after["engagements"] - before["engagements"] == first[1] + second[1]
