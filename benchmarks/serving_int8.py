"""What 8-bit weights of the query tower cost in quality, and what they save.

    python -m benchmarks.serving_int8 --root .

Over a project's judged queries and its index, by vectors alone and with words, as the search is:
the graph of float32 that a service runs beside the same with 8-bit weights
(`onnx_graph.write_int8`). Times are medians of one thread over rounds in turns; a graph of 8 bits
may only answer where it loses at most .2 points of each figure.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from smar.index.ann import gated_queries, set_faiss_threads
from smar.index.hybrid import HybridIndex
from smar.judging.metrics import judge, ndcg, recall
from smar.judging.runs import QuerySet, Run
from smar.judging.shop_sets import ShopSets
from smar.models.io import load_model
from smar.models.onnx import OnnxQueries
from smar.models.onnx_graph import write_int8, write_query_graph
from smar.models.saved import read_tokenizer
from smar.params import load_params
from smar.paths import Paths

_K = 50
_ROUNDS = 7
_BATCHES = (1, 8, 32)


def quality(queries: QuerySet, index: HybridIndex, tower: OnnxQueries) -> dict[str, float]:
    """Return nDCG@10 and recall@50 of the whole search and of the vectors alone."""
    texts = index.read(queries.texts)
    encoded = tower.encode(texts)
    gated = gated_queries(encoded.vector, encoded.gate)
    found = {"search": index.search(texts, encoded, _K), "vectors": index.vectors.search(gated, _K)}
    figures = {}
    for name, (scores, rows) in found.items():
        judged = judge(Run(name, rows, scores), queries, _K)
        figures[f"{name} ndcg@10"] = round(float(ndcg(judged, 10).mean()), 4)
        figures[f"{name} recall@50"] = round(float(recall(judged, _K).mean()), 4)
    return figures


def milliseconds(tower: OnnxQueries, texts: list[str], batch: int) -> float:
    """Return the median time of a query in batches of one size."""
    spent = []
    for start in range(0, 320, batch):
        asked = [texts[(start + place) % len(texts)] for place in range(batch)]
        begun = time.perf_counter()
        tower.encode(asked)
        spent.append(time.perf_counter() - begun)
    return 1e3 * statistics.median(spent) / batch


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path())
    options = parser.parse_args()
    torch.set_num_threads(1)
    set_faiss_threads(1)
    paths = Paths(options.root)
    params = load_params(paths.params)
    index = HybridIndex.load(paths.index)
    shop = ShopSets.read(paths, index.item_ids, params.evaluate.relevant_grade, params.seed)
    tokenizer = read_tokenizer(paths.retriever, "query")
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder, "query.onnx"), Path(folder, "query.int8.onnx")
        write_query_graph(load_model(paths.retriever), whole)
        write_int8(whole, small)
        sizes = {"float32": whole.stat().st_size, "int8": small.stat().st_size}
        towers = {
            "float32": OnnxQueries.load(whole, tokenizer),
            "int8": OnnxQueries.load(small, tokenizer),
        }
    for queries in shop.sets:
        vectors = {name: tower.encode(queries.texts).vector for name, tower in towers.items()}
        cosine = np.einsum("qd,qd->q", *vectors.values())
        for name, tower in towers.items():
            line = {"set": queries.name, "queries": len(queries), "weights": name}
            print(json.dumps(line | quality(queries, index, tower)), flush=True)
        print(json.dumps({"set": queries.name, "least cosine": round(float(cosine.min()), 4)}))
    texts = [text for queries in shop.sets for text in queries.texts]
    rounds: dict[tuple[str, int], list[float]] = {}
    for _ in range(_ROUNDS):
        for batch in _BATCHES:
            for name, tower in towers.items():
                seen = milliseconds(tower, texts, batch)
                rounds.setdefault((name, batch), []).append(seen)
    for (name, batch), times in rounds.items():
        line = {"weights": name, "at_once": batch, "ms_a_query": round(min(times), 4)}
        print(json.dumps(line | {"median": round(statistics.median(times), 4)}))
    print(json.dumps({"bytes": sizes}))


if __name__ == "__main__":
    main()
