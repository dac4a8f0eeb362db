"""What an earlier run drew for items that are as they were.

Which queries an item gets depends on its fields, the settings and the held-out queries alone.
`.smar/synthetic/` keeps what was drawn, as mapped files with a manifest; it may be deleted at any
time, and what is damaged, or was drawn in another way, is not used. What is taken from it is what
would be drawn again: an item is drawn anew if one of its queries has the stems of a query that is
held out now and was not, or one was left out for stems that are not held out any more.

Shapes: n items of a batch, N items kept, P pairs.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smar.artifacts import Manifest, read_manifest, verify_directory, write_directory
from smar.closure import PARAMS, code_key
from smar.content_keys import KeyTable
from smar.errors import ArtifactError
from smar.synthetic.drawn import HELD_OUT, MADE, Drawn, bags
from smar.synthetic.spread_numbers import SpreadNumbers
from smar.verified import tell_hashed, unwritten

logger = logging.getLogger(__name__)

KIND = "drawn"
_PAIRS, _ITEMS, _HELD_OUT = "pairs.arrow", "items.npy", "held_out.npy"
_HASHED = "hashed.json"  # files that are known to be what they were when they were hashed
_LIBRARIES = ("PyStemmer", "pyarrow")
_COLUMNS = 6  # of items.npy: the key in two numbers, pairs, and draws left out by `DROPPED`


def how_drawn(settings: Any) -> str:
    """Return what stands for the way in which queries are drawn: code, libraries and settings."""
    known = json.dumps(settings, sort_keys=True)
    return code_key(["smar.synthetic.drawing"], _LIBRARIES, known, but=PARAMS)


class Earlier:
    """What an earlier run drew.

    Args:
        folder: Its files.
        held_out: Numbers of the stems that are held out now.
    """

    def __init__(self, folder: Path, held_out: NDArray[np.uint64]) -> None:
        items = np.load(folder / _ITEMS, mmap_mode="r", allow_pickle=False)
        before = np.load(folder / _HELD_OUT, allow_pickle=False)
        self._pairs = pa.ipc.open_file(pa.memory_map(str(folder / _PAIRS))).read_all()
        self._counts, self._dropped = items[:, 2].astype(np.int64), items[:, 3:]
        self._starts = np.concatenate([[0], np.cumsum(self._counts)])
        self._stale = self._touched(np.setdiff1d(held_out, before))
        if len(np.setdiff1d(before, held_out)):
            self._stale |= self._dropped[:, HELD_OUT] > 0
        self._keys, self._next = KeyTable(items[:, :2]), 0

    @classmethod
    def open(cls, folder: Path, how: str, held_out: NDArray[np.uint64]) -> "Earlier | None":
        """Return what is kept, None if there is nothing that can be used."""
        try:
            if not folder.is_dir() or read_manifest(folder, KIND).details["how"] != how:
                return None
            verify_directory(folder, KIND, unchanged=unwritten(folder / _HASHED, folder))
            return cls(folder, held_out)
        except (ArtifactError, pa.ArrowException, OSError, ValueError, KeyError) as error:
            logger.warning("all queries are drawn again: %s", error)
            return None

    def rows_of(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return where items are kept whose queries are as they were, -1 for others, [n].

        Those of a batch are looked for first behind those of the batch before.
        """
        rows = self._keys.rows_of(keys, self._next)
        found = rows[rows >= 0]
        self._next = int(found[-1]) + 1 if len(found) else self._next + len(keys)
        is_kept = rows >= 0
        is_kept[is_kept] = ~self._stale[rows[is_kept]]
        return np.where(is_kept, rows, -1)

    def joined(self, rows: NDArray[np.int64], anew: Drawn) -> Drawn:
        """Return what items have, in their order.

        Args:
            rows: As `rows_of` gives them, [n].
            anew: What was drawn for those that have -1, in their order.
        """
        is_new = rows < 0
        starts = np.concatenate([[0], np.cumsum(anew.counts)])
        numbers = np.cumsum(is_new) - 1
        parts = []
        follows = (is_new[1:] == is_new[:-1]) & (is_new[1:] | (rows[1:] == rows[:-1] + 1))
        for run in np.split(np.arange(len(rows)), np.flatnonzero(~follows) + 1):
            if is_new[run[0]]:
                first, last = starts[numbers[run[0]]], starts[numbers[run[-1]] + 1]
                parts.append(anew.pairs.slice(first, last - first))
            else:
                first, last = self._starts[rows[run[0]]], self._starts[rows[run[-1]] + 1]
                parts.append(self._pairs.slice(first, last - first))
        counts = np.where(is_new, 0, self._counts[rows])
        dropped = np.where(is_new[:, None], 0, self._dropped[rows].astype(np.int64))
        counts[is_new], dropped[is_new] = anew.counts, anew.dropped
        return Drawn(pa.concat_tables(parts).combine_chunks(), counts, dropped)

    def _touched(self, added: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which items have a query of these stems, [N]."""
        touched = np.zeros(len(self._counts), bool)
        if not len(added):
            return touched
        first, there = 0, SpreadNumbers(added)
        for part in bags(self._pairs):
            found = there.those_there(part) + first
            touched[np.searchsorted(self._starts, found, side="right") - 1] = True
            first += len(part)
        return touched


class Keeper:
    """Takes what is drawn, batch after batch.

    Args:
        folder: An empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._items: list[NDArray[np.uint64]] = []
        self._file = pa.ipc.new_file(str(folder / _PAIRS), MADE)
        self._bags: list[NDArray[np.uint64]] = []

    def add(self, keys: NDArray[np.uint64], drawn: Drawn) -> None:
        """Keep what items were given; `keys` as `keys_of` gives them."""
        facts = np.column_stack([drawn.counts, drawn.dropped]).astype(np.uint64)
        self._items.append(np.column_stack([keys, facts]))
        self._file.write_table(drawn.pairs)
        self._bags += map(np.copy, bags(drawn.pairs))

    @property
    def bags(self) -> NDArray[np.uint64]:
        """The number of every pair's stems so far, [P]."""
        return np.concatenate([np.empty(0, np.uint64), *self._bags])

    def close(self, held_out: NDArray[np.uint64]) -> None:
        """Write what is left; `held_out` are the numbers of the stems that were held out."""
        self._file.close()
        none = np.empty((0, _COLUMNS), np.uint64)
        np.save(self._folder / _ITEMS, np.concatenate([none, *self._items]), allow_pickle=False)
        np.save(self._folder / _HELD_OUT, held_out, allow_pickle=False)


@contextmanager
def keeping(folder: Path, how: str, held_out: NDArray[np.uint64]) -> Iterator[Keeper]:
    """Yield what takes the queries of this run for the next one; they are kept if it ends well."""
    with write_directory(folder, Manifest(kind=KIND, details={"how": how})) as temporary:
        keeper = Keeper(temporary)
        yield keeper
        keeper.close(held_out)
    with suppress(OSError):  # no room: the next run hashes them
        tell_hashed(folder / _HASHED, [folder / name for name in (_PAIRS, _ITEMS, _HELD_OUT)])
