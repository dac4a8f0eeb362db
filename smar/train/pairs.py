"""Which query text goes with which item, in arrays that files back: no object per pair.

A catalogue of a million items has tens of millions of synthetic pairs, of which a training draws
few. Shapes: P pairs, N items, D distinct query texts.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, overload

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from smar.errors import DataError
from smar.scratch import scratch

_PARTS = 64  # of the texts, by their hash: memory holds one of them
_BLOCK = 2**20  # pairs that are sorted at once


@dataclass(frozen=True)
class Pairs:
    """(query, item) pairs, item after item.

    Args:
        query: Row of the query text, ascending within an item, [P].
        offsets: Where each item's pairs begin, [N + 1].
        weight: Grade of the engagement, > 0: the pair's chance of being drawn against the item's
            other pairs, [P]; None: 1 each.
    """

    query: NDArray[np.integer[Any]]
    offsets: NDArray[np.int64]
    weight: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        query: NDArray[np.int64],
        item: NDArray[np.int64],
        weight: NDArray[np.float64],
        num_items: int,
    ) -> "Pairs":
        """Return pairs given in any order, [P] each."""
        order = np.lexsort((query, item))
        return cls(query[order], _offsets(item, num_items), weight[order])

    def __len__(self) -> int:
        return len(self.query)

    @property
    def item(self) -> NDArray[np.int64]:
        """Row of each pair's item, ascending, [P]."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def item_of(self, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the items of some pairs, given by their places."""
        return np.searchsorted(self.offsets, pairs, side="right") - 1

    def grade_of(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the grades of some pairs, given by their places."""
        return np.ones(len(pairs)) if self.weight is None else self.weight[pairs]

    def of_items(self, items: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the query of every pair of some items, and the place of its item in `items`."""
        counts = self.offsets[items + 1] - self.offsets[items]
        owner = np.repeat(np.arange(len(items)), counts)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.query[self.offsets[items][owner] + within].astype(np.int64), owner


class QueryTexts(Sequence[str]):
    """Distinct query texts by row: those of the log, and behind them what only synthesis made.

    Args:
        logged: Texts of the log.
        content: UTF-8 of texts, one after the other.
        starts: Where each further text begins in `content`, [D - logged].
        ends: Where it ends.
    """

    def __init__(
        self,
        logged: Sequence[str],
        content: NDArray[np.uint8],
        starts: NDArray[np.int64],
        ends: NDArray[np.int64],
    ) -> None:
        self._logged = list(logged)
        # Without the class of a mapped file, which costs more to slice than a text to read.
        self._content, self._starts, self._ends = (np.asarray(a) for a in (content, starts, ends))

    def __len__(self) -> int:
        return len(self._logged) + len(self._starts)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[place] for place in range(*row.indices(len(self)))]
        if row < len(self._logged):
            return self._logged[row]
        place = row - len(self._logged)
        return self._content[self._starts[place] : self._ends[place]].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        yield from self._logged
        for start, end in zip(self._starts, self._ends, strict=True):
            yield self._content[start:end].tobytes().decode()


def gather_synthetic(
    batches: Iterable[pa.RecordBatch], logged: Sequence[str], item_ids: pd.Index, folder: Path
) -> tuple[QueryTexts, Pairs]:
    """Return the distinct texts of log and synthesis in the order they come, and synthetic pairs.

    The arrays lie in files of `folder` that have no name and go with the process. Texts are told
    apart by a hash of 64 bits: of forty million the chance that any two are taken for one is 1 in
    20,000.

    Args:
        batches: Pairs, columns query and item_id of `schema.SYNTHETIC`.
        logged: Distinct texts of the log.
        item_ids: The catalogue's ids, in the order of its rows.
        folder: Where there is room for the pairs.

    Raises:
        DataError: If a pair is of an item that the catalogue does not have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:

        def spool(dtype: DTypeLike) -> _Spool:
            return _Spool(files.enter_context(TemporaryFile(dir=folder)), dtype)

        hashes, parts, items = spool(np.uint64), spool(np.uint8), spool(np.int32)
        content, ends = spool(np.uint8), spool(np.int64)
        size = 0
        _add_hashes(pa.array(logged, pa.string()), hashes, parts)
        for batch in batches:
            texts = batch["query"].cast(pa.string())  # Arrow has longer ones, whose bytes differ
            _add_hashes(texts, hashes, parts)
            items.add(_rows(batch["item_id"], item_ids))
            of_batch, ends_of_batch = _bytes_of(texts)
            content.add(of_batch)
            ends.add(size + ends_of_batch)
            size += len(of_batch)
        all_ends, item, all_content = ends.array(), items.array(), content.array()
        row, first = _rows_of_texts(hashes.array(), parts.array(), folder)
    new = first[len(logged) :] - len(logged)
    starts = np.where(new > 0, all_ends[np.maximum(new - 1, 0)], 0)
    queries = QueryTexts(logged, all_content, starts, all_ends[new])
    return queries, _by_item(row[len(logged) :], item, len(item_ids), folder)


def _add_hashes(texts: pa.Array, hashes: "_Spool", parts: "_Spool") -> None:
    of_texts = pd.util.hash_array(np.array(texts.to_pylist(), dtype=object), categorize=False)
    hashes.add(of_texts)
    parts.add(of_texts >> 58)  # one of 64


def _bytes_of(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the UTF-8 of texts, one after the other, and where each ends."""
    _, places, content = texts.buffers()
    if not len(texts):
        return np.empty(0, np.uint8), np.empty(0, np.int64)
    ends = np.frombuffer(places, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    whole = np.frombuffer(content, np.uint8) if content else np.empty(0, np.uint8)
    return whole[ends[0] : ends[-1]], (ends[1:] - ends[0]).astype(np.int64)


def _rows(ids: pa.Array, item_ids: pd.Index) -> NDArray[np.int32]:
    encoded = ids.dictionary_encode()
    rows = item_ids.get_indexer(pd.Index(encoded.dictionary.to_pylist()))
    if (rows < 0).any():
        lost = encoded.dictionary[int(np.flatnonzero(rows < 0)[0])]
        raise DataError(
            f"synthetic queries: {int((rows < 0).sum())} of {len(rows)} items are not in the "
            f"catalogue (first: '{lost}'). Run `dvc repro synthesize`."
        )
    return rows[encoded.indices.to_numpy()].astype(np.int32)


def _rows_of_texts(
    hashes: NDArray[np.uint64], parts: NDArray[np.uint8], folder: Path
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the row of each text, numbered as they first come, and where each row first comes."""
    first = scratch(folder, np.int64, (len(hashes),))
    for part in range(_PARTS):
        here = np.flatnonzero(parts == part)
        _, index, inverse = np.unique(hashes[here], return_index=True, return_inverse=True)
        first[here] = here[index][inverse]
    places = np.arange(len(first)) == first
    number = scratch(folder, np.int32, (len(first),))
    np.cumsum(places, out=number)
    row = scratch(folder, np.int32, (len(first),))
    for start in range(0, len(first), _BLOCK):
        row[start : start + _BLOCK] = number[first[start : start + _BLOCK]] - 1
    return row, np.flatnonzero(places)


def _by_item(
    query: NDArray[np.int32], item: NDArray[np.int32], num_items: int, folder: Path
) -> Pairs:
    """Return pairs by item and then by query; those that come by item are sorted in blocks."""
    offsets = _offsets(item, num_items)
    if (item[1:] < item[:-1]).any():
        order = np.argsort(item, kind="stable")
        query, item = query[order], item[order]
    result = scratch(folder, np.int32, (len(query),))
    start = 0
    while start < len(query):
        last = np.searchsorted(offsets, start + _BLOCK, side="right") - 1
        end = int(offsets[last]) if offsets[last] > start else int(offsets[last + 1])
        part = query[start:end]
        result[start:end] = part[np.lexsort((part, item[start:end]))]
        start = end
    return Pairs(result, offsets)


def _offsets(item: NDArray[np.integer[Any]], num_items: int) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.bincount(item, minlength=num_items))]).astype(np.int64)


class _Spool:
    """An array that grows in a file; the array stays when the file is closed.

    Args:
        file: An empty file.
        dtype: Of the array.
    """

    def __init__(self, file: IO[bytes], dtype: DTypeLike) -> None:
        self._file, self._dtype = file, np.dtype(dtype)

    def add(self, values: NDArray[Any]) -> None:
        """Append values."""
        self._file.write(np.ascontiguousarray(values, self._dtype).data)

    def array(self) -> NDArray[Any]:
        """Return all values, read when they are looked at."""
        self._file.flush()
        if not self._file.tell():
            return np.empty(0, self._dtype)
        return np.memmap(self._file, self._dtype, mode="r")
