"""Queries whose vectors tell whether towers encode as they did when an index was fitted.

What is fitted depends on the code of towers by the vectors of queries alone: code that encodes some
of the same queries alike leaves it as it is.

Shapes: Q queries, D embedding length.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from smar.models.embeddings import QueryEmbeddings

MOST = 64
_ROUNDING = 1e-5  # by which other code may sum the same numbers otherwise


@dataclass(frozen=True)
class Asked:
    """Some of the queries that an index was fitted with.

    Args:
        texts: The queries, each once, [Q]; none where nothing was encoded.
        vectors: Each one's vector and behind it its gate, [Q, D + 1].
    """

    texts: Sequence[str]
    vectors: NDArray[np.float32]

    @classmethod
    def of(cls, texts: Sequence[str], encode: Callable[[list[str]], QueryEmbeddings]) -> Self:
        """Return at most 64 of the queries that were encoded, evenly spread.

        Args:
            texts: All of them.
            encode: What encoded them.
        """
        each = list(dict.fromkeys(texts))
        some = each[:: max(1, -(-len(each) // MOST))]
        vectors = _encoded(some, encode) if some else np.empty((0, 1), np.float32)
        return cls(some, vectors)

    def is_answered_alike(self, encode: Callable[[list[str]], QueryEmbeddings]) -> bool:
        """Return whether the queries have the vectors they had, but for what sums round."""
        if not len(self.texts):
            return True
        now = _encoded(list(self.texts), encode)
        return now.shape == self.vectors.shape and bool(
            np.allclose(now, self.vectors, rtol=0, atol=_ROUNDING)
        )


def _encoded(
    texts: list[str], encode: Callable[[list[str]], QueryEmbeddings]
) -> NDArray[np.float32]:
    found = encode(texts)
    vectors = found.vector.reshape(len(texts), -1)
    both: NDArray[np.float32] = np.column_stack([vectors, found.gate]).astype(np.float32)
    return both
