"""The index that `build_index` picks, against the flat one, on the same clustered vectors.

Run with `python benchmarks/index.py`; prints recall and queries a second of both, and their ratio.
"""

import argparse
import json
import time

import numpy as np
from numpy.typing import NDArray

from smar.index.ann import VectorIndex, build_index, gated_items, gated_queries, set_faiss_threads
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


def queries_per_s(index: VectorIndex, queries: NDArray[np.float32], batch: int) -> float:
    """Return the rate of searching 50 items for queries in batches."""
    index.search(queries[:batch], 50)
    start = time.perf_counter()
    for first in range(0, len(queries), batch):
        index.search(queries[first : first + batch], 50)
    return len(queries) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=128)
    options = parser.parse_args()
    set_faiss_threads(0)
    rng = np.random.default_rng(0)
    text = clustered(options.items, options.dim, rng)
    vectors = gated_items(text, near(text, 0.5, rng))
    chosen = rng.choice(options.items, 1000, replace=False)
    queries = gated_queries(near(text[chosen], 0.5, rng), rng.random(1000, np.float32))
    ids = [str(row) for row in range(options.items)]
    params = {"recall_target": 0.97, "recall_at": 50, "sample_queries": 500, "word_share": 0.0}
    rates = {}
    for name, exact_below in (("flat", options.items + 1), ("chosen", 0)):
        start = time.perf_counter()
        index = build_index(
            vectors, ids, IndexParams(exact_below=exact_below, **params), lambda: queries[:500]
        )
        seconds = time.perf_counter() - start
        figures = {key: index.details[key] for key in ("kind", "settings", "recall")}
        rates[name] = {b: queries_per_s(index, queries, b) for b in (1, 1000)}
        rate = {f"queries_per_s_batch_{b}": round(value) for b, value in rates[name].items()}
        print(json.dumps({"index": name, "build_s": round(seconds, 1), **figures, **rate}))
    ratios = {
        f"ratio_batch_{b}": round(rates["chosen"][b] / rates["flat"][b], 1) for b in (1, 1000)
    }
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
