"""How much of the data is other than what an index was fitted to.

Of each table the smallest hashes of its rows are kept: they are a sample of it that two runs draw
alike, so that samples tell how much of the tables is the same (Broder, 1997).

Rows that an earlier run hashed are hashed again in blocks alone that are other ones now.

Shapes: R rows of a table, B blocks of rows, N items.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from smar.data.arrow_content import digest_of

MOST = 4096
"""Rows of each table that are kept: a share of a hundredth is told to .0016 (standard error)."""

_BLOCK = 65_536  # rows that are hashed together
_MANY = 16 * MOST

COLUMNS = {
    "queries": ("query", "split"),
    "engagements": ("search_id", "item_id", "action"),
    "judgements": ("query_id", "item_id", "grade"),
}
"""What counts of each table."""

Basis = Mapping[str, NDArray[np.uint64]]
"""The smallest hashes of the rows of each table, ascending, by its name."""


@dataclass(frozen=True)
class Hashed:
    """The smallest hashes of blocks of rows, by what stands for a block's content.

    Args:
        digests: Of each block, [B, 4].
        ends: Where the hashes of each block end, [B].
        hashes: Of one block after the other, ascending in each.
    """

    digests: NDArray[np.uint64]
    ends: NDArray[np.int64]
    hashes: NDArray[np.uint64]

    @classmethod
    def of(cls, by_block: Mapping[bytes, NDArray[np.uint64]]) -> Self:
        """Return the hashes of blocks, each by the 32 bytes that stand for it."""
        digests = np.frombuffer(b"".join(by_block), np.uint64).reshape(-1, 4)
        ends = np.cumsum([*map(len, by_block.values())], dtype=np.int64)
        return cls(digests, ends, np.concatenate([np.empty(0, np.uint64), *by_block.values()]))

    @classmethod
    def nothing(cls) -> Self:
        """Return the hashes of no block."""
        return cls.of({})

    def by_block(self) -> dict[bytes, NDArray[np.uint64]]:
        """Return the hashes of each block, by what stands for it."""
        names = [line.tobytes() for line in self.digests]
        return dict(zip(names, np.split(self.hashes, self.ends)[:-1], strict=True))


def smallest(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return what is kept of the hashes of a table's rows, [R], ascending."""
    if len(hashes) > _MANY:  # few of many that are spread evenly: no more need to be ordered
        near = hashes[hashes <= np.uint64(2**64 // len(hashes) * 4 * MOST)]
        if len(found := np.unique(near)) >= MOST:
            return found[:MOST]
    return np.unique(hashes)[:MOST]


def basis_of(
    read: Callable[[str], pa.Table],
    vectors: NDArray[np.uint64],
    before: Mapping[str, Hashed] | None = None,
    unchanged: Collection[str] = (),
) -> tuple[Basis, dict[str, Hashed]]:
    """Return what an index of accepted tables is fitted to, and the hashes that told it.

    Args:
        read: Returns queries, engagements or judgements by their names.
        vectors: What the item rows are known by, [N, 2].
        before: Hashes of an earlier run by table, of which those of blocks as they were are taken.
        unchanged: Tables that are what they were in that run; these are not read.
    """
    before, hashed = before or {}, dict[str, Hashed]()
    for name, columns in COLUMNS.items():
        known = before.get(name)
        if known is None or name not in unchanged:
            known = _of_table(read(name).select(list(columns)), known or Hashed.nothing())
        hashed[name] = known
    basis = {name: smallest(known.hashes) for name, known in hashed.items()}
    return {"items": smallest(vectors[:, 0])} | basis, hashed


def _of_table(table: pa.Table, before: Hashed) -> Hashed:
    """Return the hashes of a table's blocks, those of an earlier run where it has them."""
    known = before.by_block()
    blocks = [table.slice(start, _BLOCK) for start in range(0, len(table), _BLOCK)]
    own = {_standing_for(block): block for block in blocks}
    return Hashed.of({o: known[o] if o in known else _hashed(own[o]) for o in own})


def _standing_for(block: pa.Table) -> bytes:
    """Return what stands for the rows of a block."""
    told = [block.schema.names, *(digest_of(column) for column in block.columns)]
    return sha256(repr(told).encode()).digest()


def _hashed(block: pa.Table) -> NDArray[np.uint64]:
    """Return the smallest hashes of rows."""
    hashes = pd.util.hash_pandas_object(block.to_pandas(), index=False)
    return smallest(np.asarray(hashes, np.uint64))


def share_changed(before: Basis, now: Basis) -> float:
    """Return the largest share of a table's rows that is new, or gone, in [0, 1].

    A changed row is a new one, and its former self is gone.
    """
    return max((_changed(before[name], now[name]) for name in now), default=0.0)


def _changed(before: NDArray[np.uint64], now: NDArray[np.uint64]) -> float:
    # Below the smaller of the two largest hashes both samples are whole.
    ends = [int(kept[-1]) for kept in (before, now) if len(kept) == MOST]
    end = np.uint64(min(ends, default=2**64 - 1))
    was, is_now = before[before <= end], now[now <= end]
    same = len(np.intersect1d(was, is_now, assume_unique=True))
    most = max(len(was), len(is_now))
    return 1 - same / most if most else 0.0
