"""Orders in which what is equal stays as it stands, found by what keeps no such order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def ordered(
    values: NDArray[np.floating[Any]], groups: NDArray[np.int64] | int = 0
) -> NDArray[np.int64]:
    """Return items by group, value and place: `np.lexsort((values, groups))`, in less time.

    Numbers without equal ones may be sorted by what keeps no order among equal ones.

    Args:
        values: Of each item, [n].
        groups: Numbers from 0 on, [n], or that of all.
    """
    size = len(values)
    by_value = np.argsort(values)
    level = np.empty(size, np.int64)
    level[by_value] = np.cumsum(np.diff(values[by_value], prepend=-np.inf) > 0)
    known = (groups * (size + 1) + level) * size + np.arange(size)
    return np.asarray(np.sort(known) % max(size, 1), np.int64)
