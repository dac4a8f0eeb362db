"""The index that `build_index` tries first, beside hnswlib, usearch, lorann and Faiss's graph.

`python -m benchmarks.index_peers --items 100000` (pip install 'smar[peers]'): a peer that is not
installed is left out and named. Every system sees the same rows `[S_t ; S_m]` and the same gated
queries, searched 200 deep as hybrid search does, and is set as cheaply as reaches recall@50 of .95
and of .99. Queries are told apart: half choose the setting, on the other half recall and time are
taken. One thread, one query after the other, seconds of processor: a busy machine changes them less
than those of the clock.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.index import made_case, parser_of
from smar.index.ann import VectorIndex, gated_queries
from smar.index.exact import exact_search
from smar.index.layout import Layout
from smar.index.settings import DEPTH, candidates

_K = 50
_TARGETS = (0.95, 0.99)
_EXPANSIONS = (200, 300, 400, 600, 800, 1200, 1600, 2400)  # nothing below the depth gives it
_LINKS, _EFFORT = 32, 200  # of a graph, and of its making
_RANK = 32  # of lorann's maps
_SEARCHED, _SCORED = (4, 8, 16, 32, 64, 128, 256), (200, 400, 800, 1600)
_QUERIES = 400

Search = Callable[[NDArray[np.float32]], NDArray[np.int64]]
"""Of queries [Q, 2 D]: rows, best first, [Q, DEPTH]."""


@dataclass(frozen=True)
class System:
    """An index that was built.

    Args:
        name: Who made it.
        build_s: Seconds of processor of its making.
        settings: What it can be set to with the search that has it, cheap ones first.
    """

    name: str
    build_s: float
    settings: Sequence[tuple[dict[str, int], Search]]


def smar_and_graph(vectors: NDArray[np.float32]) -> Iterator[System]:
    """Yield the kinds that smar chooses from: inverted lists refined exactly, and Faiss's HNSW."""
    for kind, build, settings in candidates(vectors, Layout()):
        start = time.process_time()
        index = VectorIndex.of(build().indexes[0], [str(row) for row in range(len(vectors))])
        name = f"smar: {kind}" if kind.startswith("IVF") else f"Faiss: {kind}"
        found = [(setting, partial(_faiss_rows, index, setting)) for setting in settings]
        if not kind.startswith("IVF"):
            found = [({"efSearch": e}, partial(_faiss_rows, index, {"efSearch": e}))
                     for e in _EXPANSIONS]  # fmt: skip
        yield System(name, time.process_time() - start, found)


def _faiss_rows(
    index: VectorIndex, setting: dict[str, int], queries: NDArray[np.float32]
) -> NDArray[np.int64]:
    index.set(setting)
    return index.search(queries, DEPTH)[1]


def hnswlib_index(vectors: NDArray[np.float32]) -> System:
    """Return hnswlib's graph."""
    import hnswlib

    start = time.process_time()
    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(len(vectors), ef_construction=_EFFORT, M=_LINKS, random_seed=7)
    index.add_items(vectors, num_threads=1)

    def search(expansion: int, queries: NDArray[np.float32]) -> NDArray[np.int64]:
        index.set_ef(expansion)
        rows = index.knn_query(queries, k=DEPTH, num_threads=1)[0]
        return np.asarray(rows, np.int64)

    seconds = time.process_time() - start
    return System("hnswlib", seconds, [({"ef": e}, partial(search, e)) for e in _EXPANSIONS])


def usearch_index(vectors: NDArray[np.float32]) -> System:
    """Return usearch's graph."""
    from usearch.index import Index

    start = time.process_time()
    index = Index(
        ndim=vectors.shape[1], metric="ip", dtype="f32", connectivity=_LINKS,
        expansion_add=_EFFORT,
    )  # fmt: skip
    index.add(np.arange(len(vectors)), vectors, threads=1)

    def search(expansion: int, queries: NDArray[np.float32]) -> NDArray[np.int64]:
        index.expansion_search = expansion
        keys = index.search(queries, DEPTH, threads=1).keys
        return np.asarray(keys, np.int64).reshape(len(queries), -1)

    seconds = time.process_time() - start
    settings = [({"expansion": e}, partial(search, e)) for e in _EXPANSIONS]
    return System("usearch", seconds, settings)


def lorann_index(vectors: NDArray[np.float32]) -> System:
    """Return lorann's clusters, each with a low-rank map of queries to the scores of its rows.

    As its authors set it: the square root of the rows as clusters, rank 32, 8 bits, scores of
    clusters from 128 numbers where vectors have 200 or more.
    """
    from lorann import LorannIndex

    start = time.process_time()
    clusters, dim = round(len(vectors) ** 0.5), vectors.shape[1]
    index = LorannIndex(vectors, clusters, 128 if dim >= 200 else None, rank=_RANK)
    index.build(n_threads=1)

    def search(setting: dict[str, int], queries: NDArray[np.float32]) -> NDArray[np.int64]:
        rows = index.search(queries, DEPTH, setting["clusters"], setting["scored"], n_threads=1)
        return np.asarray(rows, np.int64)

    def cost(setting: dict[str, int]) -> float:
        scanned = setting["clusters"] * len(vectors) / clusters
        return scanned * _RANK / 4 + setting["scored"] * dim  # a byte is a quarter of a number

    seconds = time.process_time() - start
    tried = [{"clusters": c, "scored": s} for c in _SEARCHED if c <= clusters for s in _SCORED]
    settings = [(each, partial(search, each)) for each in sorted(tried, key=cost)]
    return System("lorann", seconds, settings)


def recall(rows: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Return the mean share of the true results [Q, k] among the first k that were found."""
    k = truth.shape[1]
    shared = [len(np.intersect1d(a[:k], b)) for a, b in zip(rows, truth, strict=True)]
    return float(np.mean(shared)) / k


def milliseconds(search: Search, queries: NDArray[np.float32]) -> float:
    """Return the processor time of one query, the median of three rounds of one after the other."""
    search(queries[:5])
    rounds = []
    for _ in range(3):
        start = time.process_time()
        for row in range(len(queries)):
            search(queries[row : row + 1])
        rounds.append(1000 * (time.process_time() - start) / len(queries))
    return float(np.median(rounds))


def compare(
    system: System, queries: NDArray[np.float32], truth: NDArray[np.int64]
) -> Iterator[dict[str, Any]]:
    """Yield a line for each recall target: the cheapest setting that reaches it, and its time."""
    half = len(queries) // 2
    for target in _TARGETS:
        line: dict[str, Any] = {"system": system.name, "target": target}
        line["build_s"] = round(system.build_s, 1)
        for setting, search in system.settings:
            if recall(search(queries[:half]), truth[:half]) >= target:
                reached = recall(search(queries[half:]), truth[half:])
                ms = milliseconds(search, queries[half:])
                yield line | {"setting": setting, "recall": round(reached, 4), "ms": round(ms, 3)}
                break
        else:
            yield line | {"setting": None}


def main() -> None:
    options = parser_of(str(__doc__)).parse_args()
    faiss.omp_set_num_threads(1)
    case = made_case(options, _QUERIES, np.random.default_rng(0))
    vectors, queries = case.items, gated_queries(case.asked.vector, case.asked.gate)
    truth = exact_search(queries, vectors, _K)[1]
    for system in chain(smar_and_graph(vectors), peers(vectors)):
        for line in compare(system, queries, truth):
            print(json.dumps(line), flush=True)


def peers(vectors: NDArray[np.float32]) -> Iterator[System]:
    """Yield the peers that are installed; those that are not are told."""
    for make in (hnswlib_index, usearch_index, lorann_index):
        try:
            yield make(vectors)
        except ModuleNotFoundError as error:
            print(json.dumps({"system": error.name, "left out": "not installed"}))


if __name__ == "__main__":
    main()
