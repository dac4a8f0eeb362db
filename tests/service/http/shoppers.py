"""A shop of a feed and a search log, a running service, and people who search it."""

import gzip
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import orjson

from smar.cli import STAGES, main

LOG = ("ubi_queries.ndjson.gz", "ubi_events.ndjson.gz")
# A model of a few steps is good or bad by chance: whatever is trained may be promoted.
LENIENT = {
    "promote.margin": 0.9,
    "promote.max_loss": 0.9,
    "promote.slice_margin": 0.9,
    "promote.max_latency_ratio": 100.0,
}


def bring_feed_and_log(root: Path, change_params: Callable[[Path, dict[str, Any]], None]) -> None:
    """Put the demo shop's feed, and its log until yesterday, where ingest then reads them."""
    raw = root / "data/raw"
    assert main(["demo", str(raw), "--root", str(root), "-q"]) == 0
    (raw / "ubi").mkdir(exist_ok=True)
    later = timedelta(days=(datetime.now(UTC) - datetime(2026, 10, 1, tzinfo=UTC)).days)
    for name in LOG:
        lines = gzip.decompress((raw / name).read_bytes()).splitlines()
        records = [orjson.loads(line) for line in lines]
        for record in records:
            record["timestamp"] = (datetime.fromisoformat(record["timestamp"]) + later).isoformat()
        (raw / "ubi" / name.removesuffix(".gz")).write_bytes(
            b"".join(orjson.dumps(r, option=orjson.OPT_APPEND_NEWLINE) for r in records)
        )
        (raw / name).unlink()
    change_params(
        root,
        {
            "ingest.source": "feed",
            "ingest.log": {"kind": "ubi", "queries": "ubi", "events": "ubi"},
            "validate.log.as_of": "now",
        },
    )


def run_stages(root: Path) -> None:
    for stage in STAGES:
        if stage != "drift":
            assert main([stage, "-q", "--root", str(root)]) == 0, stage


@contextmanager
def served(root: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """Run `smar serve` in a process of its own."""
    command = [sys.executable, "-m", "smar", "serve", "--port", "0", "--root", str(root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().split()[0]
    with httpx.Client(base_url=address, timeout=60) as client:
        yield process, client
    if process.poll() is None:
        process.terminate()
    process.stdout.read()
    process.wait(60)
    process.stdout.close()


def shop_for_an_hour(client: httpx.Client, texts: list[str], seed: int) -> tuple[int, int]:
    """Return how many searches and events of simulated shoppers were acknowledged."""
    rng = random.Random(seed)
    searches = events = 0
    for number in range(120):
        text = rng.choice(texts)
        found = client.post(
            "/search", json={"query": text, "limit": 10, "client_id": f"c{number % 30}"}
        ).json()
        searches += 1
        for place, hit in enumerate(found["hits"], start=1):
            words = set(text.split()) & set(hit["title"].lower().split())
            if rng.random() < (0.5 if words else 0.02) / place:
                event = {
                    "action_name": "click",
                    "query_id": found["query_id"],
                    "client_id": f"c{number % 30}",
                    "event_attributes": {
                        "object": {"object_id": hit["item_id"]},
                        "position": {"ordinal": place},
                    },
                }
                events += client.post("/ubi_events", json=[event]).json()["kept"]
    return searches, events
