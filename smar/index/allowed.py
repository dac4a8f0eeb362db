"""Which items a search may find.

Shapes: N items, C of them allowed.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

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
