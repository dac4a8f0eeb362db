"""Texts as token ids; nothing here imports torch.

Shapes: N texts, L tokens.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TokenTable:
    """Texts as token ids, encoded once.

    Args:
        ids: int32, [N, L], padded with the tokenizer's padding id.
        lengths: int32, [N], each at least 1.
        fields: int8, [N, L]: the field each token belongs to, -1 for special tokens and padding;
            None where texts have no fields.
    """

    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]
    fields: NDArray[np.int8] | None = None
