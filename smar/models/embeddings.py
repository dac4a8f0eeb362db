"""What a model makes of queries and items, as arrays: index and service know a model by these."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class QueryEmbeddings:
    """Queries ready for search.

    Args:
        vector: Q, float32 unit rows, [Q, D]; [Q, K, D] if a query has K vectors.
        gate: P(q), float32 in [0, 1], [Q].
    """

    vector: NDArray[np.float32]
    gate: NDArray[np.float32]


@dataclass(frozen=True)
class ItemEmbeddings:
    """Items ready for the index; float32, [N, D] each.

    Args:
        text: S_t, unit rows.
        image: S_i, unit rows, zero without a picture.
        multimodal: S_m, unit rows, equal to S_t without a picture.
    """

    text: NDArray[np.float32]
    image: NDArray[np.float32]
    multimodal: NDArray[np.float32]
