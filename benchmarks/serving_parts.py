"""Where the processor time of a search goes, in the bare library.

    python -m benchmarks.serving_parts --folder SHOP

SHOP is a shop that `benchmarks.serving --folder` left, or any project with a release and its
queries. Prints milliseconds of processor a search, by part and in all, for searches one by one and
together, plain ones and those with two filters that allow many items and two facets; by numpy
alone, and hastened as a service is (`Retriever.hasten`). Each is the cheapest of some rounds, in
one thread.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import faiss

from benchmarks.serving_library import FACETS, FILTERS
from smar.service.filters import read_filter
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever

_BATCHES = (1, 8, 32)


def parts(
    shop: Retriever, requests: list[SearchRequest], batch: int, searches: int
) -> dict[str, float]:
    """Return milliseconds of processor a search by part, and of all of it as "total"."""
    spent: dict[str, float] = {}
    start = time.thread_time()
    for first in range(0, searches, batch):
        asked = [requests[(first + place) % len(requests)] for place in range(batch)]
        for part, milliseconds in shop.answer_many(asked)[-1].milliseconds.items():
            spent[part] = spent.get(part, 0.0) + milliseconds
    spent["total"] = 1e3 * (time.thread_time() - start)
    return {part: round(total / searches, 3) for part, total in spent.items()}


def lines(
    shop: Retriever, kinds: dict[str, list[SearchRequest]], rounds: int, searches: int
) -> Iterator[dict[str, Any]]:
    """Yield the parts of each kind of search and each size of a batch."""
    for kind, requests in kinds.items():
        parts(shop, requests, _BATCHES[-1], _BATCHES[-1])  # what is remembered of a query
        for batch in _BATCHES:
            tried = [parts(shop, requests, batch, searches) for _ in range(rounds)]
            cheapest = min(tried, key=lambda each: each["total"])
            yield {"search": kind, "at_once": batch, **cheapest}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--searches", type=int, default=96, help="of a round")
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    shop = Retriever.load(options.folder)
    texts = json.loads((options.folder / "queries.json").read_text())
    filters = read_filter(FILTERS)[0]
    kinds = {
        "plain": [SearchRequest(query=text) for text in texts],
        "filtered": [SearchRequest(query=text, filters=filters, facets=FACETS) for text in texts],
    }
    # The clock of a search tells seconds on the wall, which a busy machine makes many of.
    with patch("smar.index.clock.time.perf_counter", time.thread_time):
        for name in ("numpy", "hastened"):
            if name == "hastened":
                shop.hasten()
            for line in lines(shop, kinds, options.rounds, options.searches):
                print(json.dumps({"by": name, **line}), flush=True)


if __name__ == "__main__":
    main()
