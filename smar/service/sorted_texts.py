"""Texts that are looked up by halves in their order, so that no process holds them as objects.

Shapes: V texts.
"""

from bisect import bisect_left
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class SortedTexts:
    """Different texts where Arrow holds them, mapped or not, and their order: 8 bytes a text.

    Of a million, a dictionary would take 170 MB in every process.

    Args:
        texts: Each once, in any order, [V].
    """

    def __init__(self, texts: Any) -> None:
        import pyarrow.compute as pc

        self._texts = texts
        order = pc.array_sort_indices(texts)
        self.order: NDArray[np.int64] = np.from_dlpack(order).astype(np.int64)
        """Where each stands in `texts`, in the order of code points, [V]."""

    def __len__(self) -> int:
        return len(self.order)

    def place(self, text: str) -> int:
        """Return the place of a text in the order, -1 for one that is not there."""
        found = bisect_left(range(len(self)), text, key=self._at)
        return found if found < len(self) and self._at(found) == text else -1

    def at(self, places: NDArray[np.int64]) -> list[str]:
        """Return the texts at places of the order."""
        return list(self._texts.take(pa.array(self.order[places])).to_pylist())

    def _at(self, place: int) -> str:
        return str(self._texts[int(self.order[place])].as_py())
