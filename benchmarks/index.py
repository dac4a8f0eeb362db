"""The index that `build_index` picks, against the flat one, and what words add to its searches.

Run with `python -m benchmarks.index`; prints recall and queries a second on the same clustered
vectors, and ratios. Titles and queries are those of the made-up shop of `scale_shop`.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.scale_shop import make_catalogue, query_of, title_of
from smar.index.ann import VectorIndex, gated_items, gated_queries, set_faiss_threads
from smar.index.building import build_index
from smar.index.hybrid import HybridIndex
from smar.index.settings import DEPTH
from smar.index.words import WordIndex
from smar.models.embeddings import QueryEmbeddings
from smar.params import IndexParams


def clustered(number: int, dim: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return unit rows around number / 100 centres, as items of a catalogue lie."""
    centres = rng.normal(size=(max(1, number // 100), dim))
    rows = centres[rng.integers(len(centres), size=number)] + 0.7 * rng.normal(size=(number, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def near(
    rows: NDArray[np.float32], distance: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return unit rows with a cosine of about 1 / sqrt(1 + distance ** 2) to the given ones."""
    noise = rng.normal(size=rows.shape) * distance / np.sqrt(rows.shape[1])
    moved = rows + noise
    return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class Case:
    """Made-up items with queries that lie around some of them.

    Args:
        items: `[S_t ; S_m]`, [N, 2 D].
        chosen: The item that each query lies around, [Q].
        asked: The queries before their gate.
    """

    items: NDArray[np.float32]
    chosen: NDArray[np.int64]
    asked: QueryEmbeddings


def parser_of(description: str) -> argparse.ArgumentParser:
    """Return a parser of what a case is made from."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--spread", type=float, default=0.5, help="of queries around their items")
    return parser


def made_case(options: argparse.Namespace, most: int, rng: np.random.Generator) -> Case:
    """Return the case that a command line asks for, with so many queries at most."""
    text = clustered(options.items, options.dim, rng)
    items = gated_items(text, near(text, 0.5, rng))
    chosen = rng.choice(options.items, min(most, options.items), replace=False)
    vector = near(text[chosen], options.spread, rng)
    return Case(items, chosen, QueryEmbeddings(vector, rng.random(len(chosen), np.float32)))


def queries_per_s(search: Callable[[slice], object], number: int, batch: int) -> float:
    """Return the rate of searching 50 items for queries in batches."""
    search(slice(0, batch))
    start = time.perf_counter()
    for first in range(0, number, batch):
        search(slice(first, first + batch))
    return number / (time.perf_counter() - start)


def main() -> None:
    options = parser_of(str(__doc__)).parse_args()
    set_faiss_threads(0)
    rng = np.random.default_rng(0)
    case = made_case(options, 1000, rng)
    vectors, chosen, encoded = case.items, case.chosen, case.asked
    queries = gated_queries(encoded.vector, encoded.gate)
    shop, forms = make_catalogue(options.items, 7), rng.random(len(chosen))
    wanted = zip(chosen.tolist(), forms, strict=True)
    asked = [query_of(shop, item, form).lower() for item, form in wanted]
    start = time.perf_counter()
    words = WordIndex.build([title_of(shop, item) for item in range(options.items)])
    print(json.dumps({"index": "words", "build_s": round(time.perf_counter() - start, 1)}))
    ids = [str(row) for row in range(options.items)]
    rates = {}
    for name, exact_below in (("flat", options.items + 1), ("chosen", 0)):
        start = time.perf_counter()
        params = IndexParams(
            exact_below=exact_below,
            recall_target=0.97,
            recall_at=50,
            sample_queries=500,
            word_share=0.0,
        )
        index = build_index(vectors, ids, params, lambda: queries[:500])
        seconds = time.perf_counter() - start
        figures = {key: index.details[key] for key in ("kind", "settings", "recall")}
        hybrid = HybridIndex(index, words, 0.4)

        def by_vectors(rows: slice, index: VectorIndex = index) -> object:
            return index.search(queries[rows], 50)

        def deep(rows: slice, index: VectorIndex = index) -> object:
            return index.search(queries[rows], DEPTH)

        def by_both(rows: slice, hybrid: HybridIndex = hybrid) -> object:
            part = QueryEmbeddings(encoded.vector[rows], encoded.gate[rows])
            return hybrid.search(asked[rows], part, 50)

        for kind, search in (
            (name, by_vectors),
            (f"{name}, {DEPTH} deep", deep),
            (f"{name} and words", by_both),
        ):
            rates[kind] = {b: queries_per_s(search, len(queries), b) for b in (1, 1000)}
            rate = {f"queries_per_s_batch_{b}": round(value) for b, value in rates[kind].items()}
            print(json.dumps({"index": kind, "build_s": round(seconds, 1), **figures, **rate}))
    for one, other in (
        ("chosen", "flat"),
        ("chosen and words", "chosen"),
        ("flat and words", "flat"),
    ):
        ratios = {f"batch_{b}": round(rates[one][b] / rates[other][b], 3) for b in (1, 1000)}
        print(json.dumps({"ratio": f"{one} to {other}", **ratios}))


if __name__ == "__main__":
    main()
