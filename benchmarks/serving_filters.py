"""What filters, facets, collapsing and sorting cost a search, by how many items they leave.

    python -m benchmarks.serving_filters --folder SHOP [--queries 60] [--only 0.001 0.5]

SHOP is a project with a release and its queries, as `benchmarks.serving --folder` leaves it. A
range of prices leaves a share of the items. For each share: milliseconds of processor of a search
at the median and the 99th percentile, one by one, in one thread and hastened as a service is, with
the filter remembered and, under `first`, with one that was never asked for; and how many of the ten
best items are those of an exact search of the filtered catalogue by itself. `parts` says where the
time of a median search goes.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from smar.data.schema import normalize_query
from smar.index.ann import gated_queries
from smar.service.filters import EVERYTHING, Between, Filter
from smar.service.http.threads import limit_process
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever

_SHARES = (0.001, 0.01, 0.1, 0.5, 1.0)
_HITS = 10
_CENT = 0.01
KINDS: dict[str, dict[str, Any]] = {
    "filter": {},
    "facets": {"facets": ("brand", "price")},
    "collapse": {"collapse": "brand"},
    "sort": {"sort": "price"},
    "browse": {"query": "", "sort": "-price"},
}


def ranges(shop: Retriever, share: float, count: int) -> list[Filter]:
    """Return ranges of prices that each leave about a share of the items; everything for 1."""
    if share == 1:
        return [EVERYTHING] * count
    prices = np.sort(shop.fields.column("price").as_numbers())
    width = max(1, round(share * len(prices)))
    starts = np.linspace(0, len(prices) - width - 1, count + 2)[1:-1].astype(int)
    # No two are one filter, though prices are equal: their ends lie within a cent.
    return [
        Between(
            "price", gte=float(prices[at]), lt=float(prices[at + width]) + _CENT * n / count / 2
        )
        for n, at in enumerate(starts)
    ]


def exact(shop: Retriever, query: str, rows: NDArray[np.int64]) -> list[int]:
    """Return the rows of the best of some items, every one of them scored by its whole vector."""
    index = shop.index
    (text,) = index.read([normalize_query(query)])
    encoded = shop.tower.encode([text])
    similar = index.vectors.similarities(gated_queries(encoded.vector, encoded.gate)[0], rows)
    share = index.share_of(text)
    scores = (1 - share) * similar + share * index.words.shares_of(text, rows)
    return [int(row) for row in rows[np.lexsort((rows, -scores))[:_HITS]]]


def found(shop: Retriever, queries: list[str], condition: Filter) -> dict[str, float]:
    """Return how many items a filter leaves, and the share of the exact ten that is found."""
    rows = np.flatnonzero(shop.fields.mask(condition))
    right = []
    for query in queries:
        answer = shop.answer(SearchRequest(query=query, limit=_HITS, filters=condition))
        wanted = exact(shop, query, rows)
        seen = {shop.items.row(hit.item_id) for hit in answer.hits}
        right.append(len(seen & {*wanted}) / max(1, len(wanted)))
    return {"items": len(rows), "recall": round(float(np.mean(right)), 4), "least": min(right)}


def spent(shop: Retriever, requests: list[SearchRequest]) -> dict[str, Any]:
    """Return milliseconds of processor of searches one by one, and the parts of a median one."""
    totals, parts = [], []
    for request in requests:
        start = time.thread_time()
        parts.append(shop.answer(request).milliseconds)
        totals.append(1e3 * (time.thread_time() - start))
    names = {name for each in parts for name in each} - {"total"}
    medians = {name: float(np.median([each.get(name, 0) for each in parts])) for name in names}
    return {
        "p50": round(float(np.median(totals)), 2),
        "p99": round(float(np.percentile(totals, 99)), 2),
        "parts": {name: round(value, 2) for name, value in sorted(medians.items()) if value > 0.05},
    }


def lines(shop: Retriever, texts: list[str], shares: list[float]) -> Iterator[dict[str, Any]]:
    """Yield what each kind of search costs at each share, and what is found."""
    for share in shares:
        conditions = ranges(shop, share, len(texts))
        kept = conditions[len(conditions) // 2]
        yield {"share": share, "found": found(shop, texts[:20], kept)}
        for kind, asked in KINDS.items():
            given: list[dict[str, Any]] = [
                {"query": text, "limit": _HITS} | asked for text in texts
            ]
            again = [SearchRequest(filters=kept, **each) for each in given]
            shop.answer(again[0])
            line = {"share": share, "kind": kind, **spent(shop, again)}
            if share < 1:
                both = zip(given, conditions, strict=True)
                first = [SearchRequest(filters=own, **each) for each, own in both]
                line["first"] = spent(shop, first)
            yield line


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--only", type=float, nargs="*", default=list(_SHARES), help="of the items")
    options = parser.parse_args()
    limit_process(1)
    shop = Retriever.load(options.folder)
    shop.hasten()
    texts = json.loads((options.folder / "queries.json").read_text())[: options.queries]
    with patch("smar.index.clock.time.perf_counter", time.thread_time):
        for text in texts:  # what is remembered of a query, and pages that are read once
            shop.answer(SearchRequest(query=text))
        for line in lines(shop, texts, options.only):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
