"""Orders in which what is equal stays as it stands, found by what keeps no such order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIGN = np.uint32(0x8000_0000)
_PLACES = 1 << 32


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
    if values.dtype == np.float32 and isinstance(groups, int) and size < _PLACES:
        return _ordered_once(values)
    by_value = np.argsort(values)
    level = np.empty(size, np.int64)
    level[by_value] = np.cumsum(np.diff(values[by_value], prepend=-np.inf) > 0)
    known = (groups * (size + 1) + level) * size + np.arange(size)
    return np.asarray(np.sort(known) % max(size, 1), np.int64)


def _ordered_once(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return items by value and place, by one sort of numbers that hold both.

    The bits of positive floats are in their order, and those of negative ones in the reverse.
    """
    bits = (values + np.float32(0)).view(np.uint32)  # -0 becomes 0
    rank = np.where(bits & _SIGN, ~bits, bits | _SIGN).astype(np.uint64)
    known = np.sort(rank << np.uint64(32) | np.arange(len(values), dtype=np.uint64))
    return (known & np.uint64(_PLACES - 1)).astype(np.int64)
