"""Compact vectors that a search looks at first, and whole ones that its finds are scored by.

Shapes: N items, D embedding length, d <= D of a compact one; vectors in the index are 2 D long.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
from numpy.typing import NDArray

from smar.index.layout import Layout
from smar.index.lists import Built, built
from smar.index.settings import lists_of, refined_settings

if TYPE_CHECKING:
    from smar.params import IndexParams

_LEAST = 1e-12  # norm of what is left of a half that lay in the numbers cut away


def is_compact(params: "IndexParams") -> bool:
    """Return whether a search looks at something else than whole float32 vectors first."""
    return params.storage != "float32" or params.dim > 0


def cut_halves(vectors: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Return the first numbers of both halves of gated vectors, each at its norm, [..., 2 d].

    `[S_t ; S_m]` becomes `[S_t,d ; S_m,d]` of unit parts, and `[(1-g) Q ; g Q]` becomes
    `[(1-g) Q_d ; g Q_d]`, so that the score is `(1-g) cos_d(Q, S_t) + g cos_d(Q, S_m)`: the gate
    weighs text and picture as it does at full length (see `smar/models/lengths.py`).

    Args:
        vectors: Items or queries, [..., 2 D].
        length: d; 0 leaves them whole.
    """
    if not length:
        return vectors
    halves = vectors.reshape(*vectors.shape[:-1], 2, -1)
    kept = halves[..., :length]
    norm, left = (np.linalg.norm(part, axis=-1, keepdims=True) for part in (halves, kept))
    scaled = kept * (norm / np.maximum(left, _LEAST))
    return np.ascontiguousarray(scaled.reshape(*vectors.shape[:-1], -1), np.float32)


def compact_candidates(
    vectors: NDArray[np.float32], storage: str, layout: Layout, *, is_exhaustive: bool
) -> Iterator[tuple[str, Callable[[], Built], list[dict[str, int]]]]:
    """Yield (factory string, builder, settings from cheap to dear) for cut item rows [N, 2 d].

    int8 keeps each number in 8 bits between its least and largest value (Faiss's SQ8). binary keeps
    the sign of each and two factors of the row (RaBitQ, Gao and Long, 2024); the query stays in
    float32. Signs on both sides would lose the gate: `[(1-g) Q ; g Q]` has the signs of `[Q ; Q]`
    whatever g is.

    Args:
        vectors: Item rows.
        storage: "float32", "int8" or "binary".
        layout: Which of them lie together.
        is_exhaustive: Whether every item is looked at; else inverted lists come first.
    """
    whole, small = {
        "float32": ("Flat", "PQ{codes}x4fs,RFlat"),
        "int8": ("SQ8", "PQ{codes}x4fs,Refine(SQ8)"),
        "binary": ("RaBitQ", "RaBitQ"),
    }[storage]
    rescored = [{"rescored": depth} for depth in (200, 400, 800, 1600, 3200)]
    if not is_exhaustive:
        lists, codes = lists_of(vectors)
        factory = f"IVF{lists}," + small.format(codes=codes)
        settings = refined_settings(vectors, lists, codes)
        if storage == "binary":  # the finds of its lists are scored again by whole vectors alone
            settings = [{"nprobe": s["nprobe"], "rescored": s["refined"]} for s in settings]
        yield factory, partial(built, factory, vectors, layout), settings
    yield whole, partial(built, whole, vectors, layout), rescored


def bytes_of(index: Any) -> int:
    """Return the memory that an index takes, as large as its file."""
    return math.prod(faiss.serialize_index(index).shape)
