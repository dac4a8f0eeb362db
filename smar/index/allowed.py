"""Which items a search may find.

Shapes: N items, C of them allowed.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import faiss
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Allowed:
    """Some of an index's items.

    Args:
        mask: True for an item that may be found, [N].
    """

    mask: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Their rows, ascending, [C]."""
        return np.flatnonzero(self.mask)

    @cached_property
    def selector(self) -> Any:
        """What makes Faiss look at these alone: one bit an item."""
        selector: Any = faiss.IDSelectorBitmap  # its stub is that of C++
        return selector(np.packbits(self.mask, bitorder="little"))


def narrowed(index: Any, allowed: Allowed, further: float) -> Any:
    """Return Faiss's parameters for a search of some items.

    Where one item in n is allowed, n times as many lists or neighbours are looked at, for the
    nearest allowed ones lie that much further out.

    Args:
        index: The Faiss index that is looked at first.
        allowed: The items.
        further: n, of the whole catalogue.
    """
    params = cast("Any", faiss)
    if isinstance(index, faiss.IndexIVF):
        probes = min(index.nlist, math.ceil(index.nprobe * further))
        return params.SearchParametersIVF(sel=allowed.selector, nprobe=probes)
    if isinstance(index, faiss.IndexHNSW):
        effort = math.ceil(index.hnsw.efSearch * further)
        return params.SearchParametersHNSW(sel=allowed.selector, efSearch=effort)
    return params.SearchParameters(sel=allowed.selector)
