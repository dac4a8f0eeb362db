"""Numbers spread over all of 64 bits, as hashes are, looked up among others.

Shapes: n numbers that are asked for, m that they are looked for in.
"""

import numpy as np
from numpy.typing import NDArray

_MOST_BITS = 26  # 64 MB of marks, of which 3 million numbers set 1 in 20
_SPARE_BITS = 6  # so that of those that are not there 1 in 64 is looked for, where m allows


class SpreadNumbers:
    """Numbers that others are looked for in.

    Most that are not there are told apart by their first bits: of 50 million, sorting takes half a
    minute.

    Args:
        some: The numbers, ascending, [m].
    """

    def __init__(self, some: NDArray[np.uint64]) -> None:
        bits = min(_MOST_BITS, len(some).bit_length() + _SPARE_BITS)
        self._some, self._shift = some, np.uint64(64 - bits)
        self._begins = np.zeros(2**bits, bool)
        self._begins[some >> self._shift] = True

    def those_there(self, asked: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the places of the numbers [n] that are there, ascending."""
        near = np.flatnonzero(self._begins[asked >> self._shift])
        if not len(near) or not len(self._some):
            return near[:0]
        found = np.searchsorted(self._some, asked[near])
        is_there = self._some[np.minimum(found, len(self._some) - 1)] == asked[near]
        return near[is_there]
