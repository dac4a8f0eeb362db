"""Which items lie together in a shard of the index, and who builds it.

Shapes: N items, n of a shard, L vector length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from smar.params import ClusterParams


@dataclass(frozen=True, eq=False)
class Layout:
    """Shards of a catalogue.

    An item's id says where it lies, so that an item that comes or goes changes one shard, whatever
    its place in the catalogue.

    Args:
        numbers: The shard of each item, [N]; None: one shard has all.
        count: How many shards there are.
        cluster: Where lists and codes of items are found; it never changes them. None: here.
        threads: CPU threads of who finds them; 0 = as many as the process may use.
    """

    numbers: NDArray[np.uint16] | None = None
    count: int = 1
    cluster: "ClusterParams | None" = None
    threads: int = 0

    @classmethod
    def of(
        cls,
        item_ids: Sequence[str],
        count: int,
        cluster: "ClusterParams | None" = None,
        threads: int = 0,
    ) -> "Layout":
        """Return the layout of items in so many shards."""
        numbers = None
        if count > 1:
            hashed = np.fromiter((crc32(one.encode()) for one in item_ids), np.uint32)
            numbers = (hashed % count).astype(np.uint16)
        return cls(numbers, count, cluster, threads)

    @property
    def is_one(self) -> bool:
        """Whether one shard has all items."""
        return self.numbers is None

    @cached_property
    def rows(self) -> list[NDArray[np.int64] | None]:
        """The items of each shard, ascending, [n]; None of one that has all."""
        if self.numbers is None:
            return [None]
        return [np.flatnonzero(self.numbers == number) for number in range(self.count)]

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Where each item lies in its shard, [N]; asked where there are several."""
        size = 0 if self.numbers is None else len(self.numbers)
        found = np.empty(size, np.int64)
        for rows in self.rows:
            if rows is not None:
                found[rows] = np.arange(len(rows))
        return found


def some(vectors: NDArray[np.float32], rows: NDArray[np.int64] | None) -> NDArray[np.float32]:
    """Return the vectors of a shard, [n, L]; those of all are not copied."""
    return vectors if rows is None else vectors[rows]
