"""How much of the data is other than what an index was fitted to.

Of each table the smallest hashes of its rows are kept: they are a sample of it that two runs draw
alike, so that samples tell how much of the tables is the same (Broder, 1997).

Shapes: R rows of a table, N items.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.data import schema
from smar.paths import Paths

MOST = 4096
"""Rows of each table that are kept: a share of a hundredth is told to .0016 (standard error)."""

_COLUMNS = {
    "queries": ("query", "split"),
    "engagements": ("search_id", "item_id", "action"),
    "judgements": ("query_id", "item_id", "grade"),
}

Basis = Mapping[str, NDArray[np.uint64]]
"""The smallest hashes of the rows of each table, ascending, by its name."""


def smallest(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return what is kept of the hashes of a table's rows, [R]."""
    return np.unique(hashes)[:MOST]


def basis_of(paths: Paths, vectors: NDArray[np.uint64]) -> Basis:
    """Return what an index of accepted tables is fitted to.

    Args:
        paths: The project.
        vectors: What the item rows are known by, [N, 2].
    """
    found = {name: hashes_of(getattr(paths, name), columns) for name, columns in _COLUMNS.items()}
    return {name: smallest(hashes) for name, hashes in (found | {"items": vectors[:, 0]}).items()}


def hashes_of(path: Path, columns: Sequence[str]) -> NDArray[np.uint64]:
    """Return a hash of some columns of every row of a table, [R]."""
    frame = schema.read_arrow(path).select(list(columns)).to_pandas()
    return np.asarray(pd.util.hash_pandas_object(frame, index=False), np.uint64)


def share_changed(before: Basis, now: Basis) -> float:
    """Return the largest share of a table's rows that is new, or gone, in [0, 1].

    A changed row is a new one, and its former self is gone.
    """
    return max((_changed(before[name], now[name]) for name in now), default=0.0)


def _changed(before: NDArray[np.uint64], now: NDArray[np.uint64]) -> float:
    # Below the smaller of the two largest hashes both samples are whole.
    ends = [int(kept[-1]) for kept in (before, now) if len(kept) == MOST]
    end = np.uint64(min(ends, default=2**64 - 1))
    was, is_now = before[before <= end], now[now <= end]
    same = len(np.intersect1d(was, is_now, assume_unique=True))
    most = max(len(was), len(is_now))
    return 1 - same / most if most else 0.0
