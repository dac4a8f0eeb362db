"""Where what the item towers see of an item comes from."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class ItemSource(Protocol):
    """Pictures by image id, and what a frozen text tower makes of texts where that is kept.

    Of a frozen picture backbone it has the features instead of the pixels; the towers tell the two
    apart by their type.
    """

    def read(self, image_ids: NDArray[np.int64]) -> NDArray[Any]:
        """Return uint8 pictures [n, height, width, 3], or float16 features [n, F]."""

    def states_of(self, texts: Sequence[str]) -> NDArray[np.float16] | None:
        """Return the pooled states of texts, [n, H]; None where they are not kept."""
