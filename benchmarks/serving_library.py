"""The bare library beside the service, for `benchmarks.serving`: what it answers, and how fast."""

import json
import statistics
import time
from pathlib import Path

from smar.models.onnx_kept import graph_path, made_queries
from smar.service.filters import read_filter
from smar.service.finding import ONNX, QueryTower
from smar.service.http.threads import limit_process
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever

BATCH = 32
HITS = 10
FILTERS = {"price": {"lt": 20}, "availability": "in_stock"}
FACETS = ("brand", "price")
PLAIN, MIXED = "plain", "mixed"


def bare_library(root: Path, threads: int) -> Retriever:
    """Return the bare library, its queries encoded by what encodes the service's.

    It does what a search is: reads the query, encodes it, finds and scores the best, and names the
    rows, scores and relevance of its hits. It reads no item, writes no JSON and logs nothing.
    """
    limit_process(threads)
    shop = Retriever.load(root)
    shop.hasten()
    model = root / "releases" / shop.release / "model"
    queries = made_queries(model, graph_path(model, root / ".smar/onnx"))
    if queries is not None:
        shop.tower = QueryTower(ONNX, queries.encode)
    return shop


def requests_of(root: Path, kind: str = PLAIN) -> list[SearchRequest]:
    """Return the searches of a shop; of mixed ones one in ten has two filters and two facets."""
    filters = read_filter(FILTERS)[0]
    texts = json.loads((root / "queries.json").read_text())
    return [
        SearchRequest(query=text, limit=HITS, filters=filters, facets=FACETS)
        if kind == MIXED and number % 10 == 0
        else SearchRequest(query=text, limit=HITS)
        for number, text in enumerate(texts)
    ]


def bare_figures(
    shop: Retriever, requests: list[SearchRequest], seconds: float
) -> dict[str, float]:
    """Return how fast the library answers: one by one, and in batches as the service forms them."""
    spent, number = [], 0
    until = time.perf_counter() + seconds / 2
    while time.perf_counter() < until:
        start = time.perf_counter()
        shop.answer(requests[number % len(requests)])
        spent.append(time.perf_counter() - start)
        number += 1
    cpu, start, done = time.process_time(), time.perf_counter(), 0
    while time.perf_counter() - start < seconds / 2:
        shop.answer_many([requests[(done + place) % len(requests)] for place in range(BATCH)])
        done += BATCH
    return {
        "one_p50_ms": 1e3 * statistics.median(spent),
        "batch_per_s": done / (time.perf_counter() - start),
        "batch_cpu_ms": 1e3 * (time.process_time() - cpu) / done,
    }
