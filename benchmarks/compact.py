"""What compact vectors cost in quality, and what they save: every storage and length in one run.

Over a project's embeddings and judged test queries, by vectors alone and with its words beside them
(the share of its index). `kept` is nDCG@10 over that of whole float32 vectors; `first_kept` is that
of the compact vectors without scoring their finds again. Sizes are of the index in memory; the
mapped file of whole vectors comes to it. Times are of one query by one thread, the vectors alone.
Run with `python -m benchmarks.compact --root . --lengths 0 96 64 48`.
"""

import argparse
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from smar.data import schema
from smar.index.ann import gated_items, gated_queries, set_faiss_threads
from smar.index.building import build_index
from smar.index.choice import draw_queries
from smar.index.compact import bytes_of, cut_halves
from smar.index.hybrid import HybridIndex
from smar.index.store import EmbeddingStore
from smar.judging.metrics import judge, ndcg, recall
from smar.judging.runs import QuerySet, Run
from smar.judging.shop_sets import ShopSets
from smar.models.embeddings import QueryEmbeddings
from smar.models.encode import encode_queries
from smar.models.io import load_model
from smar.params import load_params
from smar.paths import Paths

_K = 50


def quality(queries: QuerySet, found: tuple[NDArray[Any], NDArray[Any]]) -> tuple[float, float]:
    """Return nDCG@10 and recall@50."""
    judged = judge(Run("compact", found[1], found[0]), queries, _K)
    return float(ndcg(judged, 10).mean()), float(recall(judged, _K).mean())


def first_pass(
    index: HybridIndex, vectors: NDArray[np.float32], length: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what the compact vectors find by themselves."""
    scores, rows = index.vectors.shards[0].index.search(cut_halves(vectors, length), _K)
    return scores, rows


def milliseconds(index: HybridIndex, vectors: NDArray[np.float32]) -> float:
    """Return the median time of one query, of three rounds the fastest."""
    rounds = []
    for _ in range(3):
        times = []
        for row in range(min(200, len(vectors))):
            start = time.perf_counter()
            index.vectors.search(vectors[row : row + 1], 200)
            times.append(time.perf_counter() - start)
        rounds.append(float(np.median(times)))
    return 1000 * min(rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--lengths", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    torch.set_num_threads(1)
    set_faiss_threads(1)
    paths = Paths(options.root)
    params = load_params(paths.params)
    store, whole = EmbeddingStore.load(paths.embeddings), HybridIndex.load(paths.index)
    model = load_model(paths.retriever)
    shop = ShopSets.read(paths, store.item_ids, params.evaluate.relevant_grade, params.seed)
    queries = next(one for one in shop.sets if one.name == "test")
    encoded: QueryEmbeddings = encode_queries(model, queries.texts)
    gated = gated_queries(encoded.vector, encoded.gate)
    items = gated_items(store.text, store.multimodal)
    table = schema.read_table(paths.queries, schema.QUERIES)
    texts = table.loc[table["split"].isin(("train", "validation")), "query"].to_numpy()
    encode = partial(encode_queries, model)
    sample = draw_queries(texts, items, encode, params.index.sample_queries, params.seed)
    base: dict[str, float] = {}
    for storage in ("float32", "int8", "binary"):
        for length in options.lengths:
            chosen = params.index.model_copy(update={"dim": length, "storage": storage})
            vectors = build_index(items, store.item_ids, chosen, lambda: sample)
            index = replace(whole, vectors=vectors)
            alone, reach = quality(queries, index.vectors.search(gated, _K))
            both = quality(queries, index.search(queries.texts, encoded, _K))[0]
            first = quality(queries, first_pass(index, gated, length))[0]
            base = base or {"vectors": alone, "both": both}
            print(
                json.dumps(
                    {
                        "storage": storage,
                        "dim": length or model.dim,
                        "rescored": vectors.details["settings"].get("rescored", 0),
                        "ndcg@10": round(alone, 4),
                        "kept": round(alone / base["vectors"], 4),
                        "kept_with_words": round(both / base["both"], 4),
                        "first_kept": round(first / base["vectors"], 4),
                        "recall@50": round(reach, 4),
                        "index_recall@50": round(vectors.details["recall"], 4),
                        "bytes_per_item": round(bytes_of(vectors.shards[0].index) / len(items), 1),
                        "ms": round(milliseconds(index, gated), 3),
                    }
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
