"""The words of a search, top 200 of one query after the other on one core, beside tantivy.

smar searches by numpy, and by compiled code where it was told to hasten.

Titles and queries are those of the made-up shop of `scale_shop`. Run with `python -m
benchmarks.words --items 1000000`; prints milliseconds of processor at the median and at
the 95th percentile.
tantivy (`pip install tantivy`) ranks by BM25 with other constants over the same words.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.scale_shop import make_catalogue, query_of, title_of
from smar.index.settings import DEPTH
from smar.index.words import WordIndex
from smar.seeding import generator


def times(search: Callable[[str], object], queries: list[str]) -> dict[str, float]:
    """Return milliseconds of processor of a search, the median and the 95th percentile."""
    found = []
    for query in queries:
        start = time.thread_time()
        search(query)
        found.append(time.thread_time() - start)
    p50, p95 = np.percentile(found, [50, 95]) * 1e3
    return {"p50_ms": round(float(p50), 3), "p95_ms": round(float(p95), 3)}


def tantivy_search(texts: list[str]) -> Callable[[str], object]:
    """Return tantivy's search of its index of texts, in memory, one segment."""
    import tantivy

    builder: Any = tantivy.SchemaBuilder()
    builder.add_text_field("text", stored=False, tokenizer_name="en_stem")
    index: Any = tantivy.Index(builder.build())
    writer = index.writer(num_threads=1, heap_size=512 * 2**20)
    for text in texts:
        document: Any = tantivy.Document()
        document.add_text("text", text)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()
    return lambda query: searcher.search(index.parse_query(query, ["text"]), DEPTH, count=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=500)
    options = parser.parse_args()
    items = make_catalogue(options.items, 7)
    texts = [title_of(items, item) for item in range(options.items)]
    rng = generator(7, "words")
    wanted, forms = rng.integers(options.items, size=options.queries), rng.random(options.queries)
    queries = [query_of(items, int(item), form) for item, form in zip(wanted, forms, strict=True)]
    start = time.process_time()
    words = WordIndex.build(texts)
    built = {"build_s": round(time.process_time() - start, 1)}
    plain = times(lambda query: words.best(query, DEPTH), queries)
    print(json.dumps({"index": "smar, a few searches", **plain, **built}), flush=True)
    words.hasten()
    compiled = times(lambda query: words.best(query, DEPTH), queries)
    print(json.dumps({"index": "smar, hastened", **compiled}), flush=True)
    try:
        start = time.process_time()
        search = tantivy_search(texts)
    except ImportError:
        print("tantivy is not installed")
        return
    built = {"build_s": round(time.process_time() - start, 1)}
    print(json.dumps({"index": "tantivy", **times(search, queries), **built}))


if __name__ == "__main__":
    main()
