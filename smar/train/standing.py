"""Which items may stand against which queries, in bits where they are many.

Shapes: Q queries, B items.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smar.train.dataset import TrainingData, words_held

Nearer = Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]
"""Queries [Q], items [B] and places of the own items [Q] to which items are too near, [Q, B]."""

_BLOCK = 2**23  # pairs that are looked at in one go


class Standing:
    """Which items of a step may stand against which of its queries, and which were shown.

    Left out are items engaged for the same query text, items that hold every word of the query in
    their text or in queries they were engaged for (they probably fit it as well), items equal to
    the query's own, and items that a guide finds as near as that. What the shop showed for the
    query without anybody engaging may stand although it holds every word or is near.

    Args:
        data: The training data.
        queries: Rows of the query texts, [Q].
        items: Rows of the item table, [B].
        target: Position in `items` of each query's own item, [Q].
        nearer: Returns which items a trained model finds as near as a query's own; None: not asked.
    """

    def __init__(
        self,
        data: TrainingData,
        queries: NDArray[np.int64],
        items: NDArray[np.int64],
        target: NDArray[np.int64],
        nearer: Nearer | None = None,
    ) -> None:
        self._queries, self._items, self._target = queries, items, target
        self._nearer = nearer
        self._known = data.known_pairs(queries, items)
        self._words_of_query, self._words_of_item = data.words(queries, items)
        self._group = data.group[items]
        self._own_group = self._group[target]
        self._shown = None if data.shown is None else data.shown[queries][:, items]
        self.shape = (len(queries), len(items))

    def rows(self, rows: slice) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return what may stand against some queries, and what was shown for them, [Q, B] each."""
        known = self._known[rows].toarray()
        same = self._group[None, :] == self._own_group[rows, None]
        holds_all = words_held(self._words_of_query[rows], self._words_of_item)
        shown = np.zeros(known.shape, bool)
        if self._shown is not None:
            shown = (self._shown[rows].toarray() > 0) & ~known & ~same
        may_fit = holds_all
        if self._nearer is not None:
            parts = self._queries[rows], self._items, self._target[rows]
            may_fit = holds_all | self._nearer(*parts)
        return ~(known | same | (may_fit & ~shown)), shown

    def packed(self) -> tuple["Bits", "Bits"]:
        """Return the same for all queries, a bit a pair."""
        num_queries, num_items = self.shape
        bits = [np.empty((num_queries, -(-num_items // 8)), np.uint8) for _ in range(2)]
        size = max(1, _BLOCK // num_items)
        for start in range(0, num_queries, size):
            rows = slice(start, start + size)
            for part, found in zip(bits, self.rows(rows), strict=True):
                part[rows] = np.packbits(found, axis=1)
        return Bits(bits[0], num_items), Bits(bits[1], num_items)


@dataclass(frozen=True)
class Bits:
    """A matrix of yes and no, a bit each.

    Args:
        packed: Eight columns a byte, [Q, ceil(B / 8)].
        columns: B.
    """

    packed: NDArray[np.uint8]
    columns: int

    def rows(self, rows: slice) -> NDArray[np.bool_]:
        """Return some rows, [rows, B]."""
        return np.unpackbits(self.packed[rows], axis=1, count=self.columns).view(bool)
