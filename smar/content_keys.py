"""Content as keys of 128 bits: whether an earlier run met the same, and where it keeps it.

Shapes: n pieces of content, N kept ones.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BYTES = 16


def keys_of(fields: Iterable[Sequence[str]]) -> NDArray[np.uint64]:
    """Return what pieces of several texts are known by, two numbers each, [n, 2]."""
    return _keys("\0".join(one).encode() for one in fields)


def keys_of_rows(rows: NDArray[np.number[Any]]) -> NDArray[np.uint64]:
    """Return what rows of numbers are known by, two numbers each, [n, 2]."""
    return _keys(np.ascontiguousarray(row).tobytes() for row in rows)


class KeyTable:
    """Where kept content is found by its key.

    Args:
        kept: Keys, [N, 2].
    """

    def __init__(self, kept: NDArray[np.uint64]) -> None:
        self._kept = kept

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.argsort(self._kept[:, 0], kind="stable")

    @cached_property
    def _keys(self) -> NDArray[np.uint64]:
        return self._kept[self._order]

    def rows_of(self, keys: NDArray[np.uint64], first: int = 0) -> NDArray[np.int64]:
        """Return where keys [n, 2] are among the kept ones, -1 for those that are not, [n].

        Of content that was kept several times it is one of them: keys are looked for in the places
        from `first` on before all others, where most of what changed little is.
        """
        found = first + np.arange(len(keys))
        beside = self._kept[first : first + len(keys)]
        is_there = (beside == keys[: len(beside)]).all(axis=1)
        rest = np.flatnonzero(~np.append(is_there, np.zeros(len(keys) - len(beside), bool)))
        if len(rest):
            found[rest] = self._looked_up(keys[rest])
        return found

    def _looked_up(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        if not len(self._kept):
            return np.full(len(keys), -1, np.int64)
        place = np.searchsorted(self._keys[:, 0], keys[:, 0])
        place = np.minimum(place, len(self._keys) - 1)
        same = (self._keys[place] == keys).all(axis=1)
        return np.where(same, self._order[place], -1).astype(np.int64)


def _keys(pieces: Iterable[bytes]) -> NDArray[np.uint64]:
    hashed = b"".join(blake2b(piece, digest_size=_BYTES).digest() for piece in pieces)
    return np.frombuffer(hashed, np.uint64).reshape(-1, 2)
