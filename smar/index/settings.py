"""Kinds of approximate indexes, what they can be set to, and what a setting costs.

Shapes: N items; vectors in the index are 2 D long.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from smar.index.layout import Layout
from smar.index.lists import Built, built

DEPTH = 200
"""Results that a hybrid search asks the vectors for, at least."""
_CODES = 16  # centres of a product code of 4 bits
_PROBED = (8, 16, 32, 64, 128, 256, 512, 1024)  # lists that may be looked at
_REFINED = (200, 400, 800, 1600, 3200)  # items that may be scored exactly, at least the results
# Nanoseconds on one core of `benchmarks/index.py`: to compare a part of a code, and to read and
# multiply a number of an item that is scored exactly. Their ratio orders settings; a clock would
# choose others on each machine, and in each run.
_PER_CODE_NS, _PER_NUMBER_NS = 0.3, 1.0


def candidates(
    vectors: NDArray[np.float32], layout: Layout
) -> Iterator[tuple[str, Callable[[], Built], list[dict[str, int]]]]:
    """Yield (factory string, builder, settings from cheap to dear).

    A graph is of one shard: graphs of parts of the items find others than one of them all.
    """
    lists, codes = lists_of(vectors)
    ivf = f"IVF{lists},PQ{codes}x4fs,RFlat"
    if len(vectors) >= max(lists, _CODES):  # fewer points than centres cannot be clustered
        yield ivf, partial(built, ivf, vectors, layout), refined_settings(vectors, lists, codes)
    if layout.is_one:
        graph, efforts = "HNSW32,Flat", (64, 128, 256, 512)
        yield graph, partial(built, graph, vectors, layout), [{"efSearch": e} for e in efforts]


def lists_of(vectors: NDArray[np.float32]) -> tuple[int, int]:
    """Return how many inverted lists item rows go into, and of how many parts a code is made."""
    dim = vectors.shape[1]
    lists = 2 ** max(4, round(math.log2(4 * math.sqrt(len(vectors)))))
    codes = next(m for m in (dim // 2, dim // 4, 1) if m and dim % m == 0)
    return lists, codes


def refined_settings(vectors: NDArray[np.float32], lists: int, codes: int) -> list[dict[str, int]]:
    """Return what inverted lists with refinement can be set to, cheap settings first."""

    def cost_ns(setting: dict[str, int]) -> float:
        scanned = len(vectors) * setting["nprobe"] / lists
        return (
            scanned * codes * _PER_CODE_NS + setting["refined"] * vectors.shape[1] * _PER_NUMBER_NS
        )

    probed = sorted({min(number, lists) for number in _PROBED})
    settings = [{"nprobe": n, "refined": r} for n in probed for r in _REFINED]
    return sorted(settings, key=cost_ns)


def refined_depth(settings: dict[str, int], depth: int) -> int:
    """Return how many finds of codes are scored by whole vectors, at least.

    As many whatever the depth: what a deeper search finds first is what a shallow one finds.
    Indexes of before say how many for each result.
    """
    return max(depth, settings.get("refined", int(depth * settings.get("k_factor", 1))))


def apply(index: Any, settings: dict[str, int]) -> None:
    """Set an index."""
    if "nprobe" in settings:
        whole: Any = faiss.downcast_index(index)
        if isinstance(whole, faiss.IndexRefine):
            whole.k_factor = settings.get("k_factor", settings.get("refined", 0) / DEPTH)
            whole = whole.base_index
        faiss.extract_index_ivf(whole).nprobe = settings["nprobe"]
    if "efSearch" in settings:
        graph: Any = faiss.downcast_index(index)
        graph.hnsw.efSearch = settings["efSearch"]
