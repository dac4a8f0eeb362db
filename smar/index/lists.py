"""Inverted lists of Faiss filled with what is known: the list and the code of each item.

Faiss looks for the nearest of all lists for every vector that is added, and after the training this
is most of the work. Which list and code a vector gets depends on the trained centres and on itself
alone, so those of an earlier run stay right; lists that are filled with them are, byte for byte,
those that Faiss fills by `add` (`tests/index/test_lists.py`). Shards are filled with those of their
own items, and have the same centres.

Shapes: N items, n of a shard or a block, C bytes of a code, L lists; vectors in the index are 2 D
long.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from smar.index.item_rows import ItemRows
from smar.index.layout import Layout, some
from smar.seeding import generator

_SEED = 0  # as Faiss, which draws what it trains on alike whatever the catalogue
_FAISS: Any = faiss  # its stubs lack some classes
WITH_LISTS = "IVF"
"""What the factory strings of indexes with inverted lists begin with."""
_BLOCK = 32  # codes that 4-bit codes are compared in at once, and lie together
_HALF = _BLOCK // 2
_AT_ONCE = 2**16  # items whose lists and codes are found at once, some blocks of Faiss's own
_PER_LIST = 64  # items that the centre of a list is trained on: lists grow with the root of N, so
# that training grows as N does, where all items would make it grow with its power of 1.5
# How Faiss interleaves the codes of a block, `perm0` in its pq4_fast_scan.cpp.
_ORDER = np.array([0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15])


Placed = tuple[NDArray[np.int64], NDArray[np.uint8]]
"""The lists and the codes of vectors, [n] and [n, C]."""


@dataclass(frozen=True)
class Lists:
    """Where items are in inverted lists.

    Args:
        trained: The Faiss index without an item, as it writes itself, uint8.
        numbers: The list of each item, [N].
        codes: What the list holds of it, [N, C].
    """

    trained: NDArray[np.uint8]
    numbers: NDArray[np.int64]
    codes: NDArray[np.uint8]

    @classmethod
    def of(
        cls, trained: NDArray[np.uint8], vectors: NDArray[np.float32], layout: Layout | None = None
    ) -> "Lists":
        """Return where a trained index has vectors, [N, 2 D], found as a layout says.

        Raises:
            ClusterError: If the cluster does not answer, or runs other versions.
        """
        index = faiss.deserialize_index(trained)
        numbers = np.empty(len(vectors), np.int64)
        codes = np.empty((len(vectors), _lists(index).code_size), np.uint8)
        starts = range(0, len(vectors), _AT_ONCE)
        blocks = (np.array(vectors[start : start + _AT_ONCE], np.float32) for start in starts)
        for start, made in zip(starts, _placed(trained, blocks, layout or Layout()), strict=True):
            numbers[start : start + _AT_ONCE], codes[start : start + _AT_ONCE] = made
        return cls(trained, numbers, codes)

    def changed(
        self,
        vectors: NDArray[np.float32] | ItemRows,
        rows: NDArray[np.int64],
        layout: Layout | None = None,
    ) -> "Lists":
        """Return where the same index has other vectors.

        Args:
            vectors: Item rows, [N, 2 D].
            rows: Where each is here, -1 for those that are not.
            layout: Where those that are not are found.
        """
        new = np.flatnonzero(rows < 0)
        made = Lists.of(self.trained, vectors[new], layout)
        numbers, codes = self.numbers[rows], self.codes[rows]
        numbers[new], codes[new] = made.numbers, made.codes
        return Lists(self.trained, numbers, codes)

    def filled(
        self, vectors: NDArray[np.float32] | None, rows: NDArray[np.int64] | None = None
    ) -> Any:
        """Return the Faiss index of a shard.

        Args:
            vectors: The vectors that the lists are of, [N, 2 D]; None leaves out those that finds
                are refined by.
            rows: Those of the shard, ascending, [n]; None: all.
        """
        index = faiss.deserialize_index(self.trained)
        lists = _lists(index)
        own = slice(None) if rows is None else rows
        numbers, known = self.numbers[own], self.codes[own]
        order = np.argsort(numbers, kind="stable").astype(np.int64)
        sizes = np.bincount(numbers, minlength=lists.nlist)
        stored: Any = faiss.downcast_InvertedLists(lists.invlists)
        codes, begins = known[order], np.cumsum(sizes) - sizes
        is_packed = isinstance(stored, _FAISS.BlockInvertedLists)
        for number in np.flatnonzero(sizes).tolist():
            items = slice(begins[number], begins[number] + sizes[number])
            held, places = codes[items], order[items]
            held = _packed(held) if is_packed else held
            stored.add_entries(number, len(places), faiss.swig_ptr(places), faiss.swig_ptr(held))
        lists.ntotal = len(numbers)
        whole: Any = faiss.downcast_index(index)
        if vectors is not None and isinstance(whole, faiss.IndexRefine):
            whole.refine_index.add(some(vectors, rows))
            whole.ntotal = len(numbers)
        return index


def _placed(
    trained: NDArray[np.uint8], blocks: Iterable[NDArray[np.float32]], layout: Layout
) -> Iterable[Placed]:
    """Yield the lists and the codes of blocks of vectors, found here or on a cluster."""
    if layout.cluster is None:
        return map(placer(trained), blocks)
    from smar.shards.mapping import map_shards  # a search needs nothing of it

    threads = layout.cluster.threads(layout.threads)
    prepare = partial(placer, trained, threads)
    return map_shards(prepare, blocks, layout.cluster, threads=threads or 1, here=placer(trained))


def placer(
    trained: NDArray[np.uint8], threads: int | None = None
) -> Callable[[NDArray[np.float32]], Placed]:
    """Return what finds the lists and the codes of a block of vectors, [n] and [n, C].

    Args:
        trained: As of `Lists`.
        threads: Of Faiss; None: as many as it has.
    """
    if threads is not None:
        faiss.omp_set_num_threads(threads)
    index = faiss.deserialize_index(trained)

    def place(vectors: NDArray[np.float32]) -> Placed:
        lists = _lists(index)
        numbers: NDArray[np.int64] = lists.quantizer.search(vectors, 1)[1][:, 0].copy()
        codes = np.empty((len(vectors), lists.code_size), np.uint8)
        pointers = (faiss.swig_ptr(each) for each in (vectors, numbers, codes))
        lists.encode_vectors(len(vectors), *pointers)
        return numbers, codes

    return place


class Built(NamedTuple):
    """Faiss indexes of the shards with what their lists hold, None of ones without lists."""

    indexes: list[Any]
    lists: Lists | None


def built(factory: str, vectors: NDArray[np.float32], layout: Layout) -> Built:
    """Return the Faiss indexes of a factory string over item rows, [N, 2 D], trained once."""
    if factory.startswith(WITH_LISTS):
        lists = Lists.of(trained(factory, vectors), vectors, layout)
        return Built([lists.filled(vectors, rows) for rows in layout.rows], lists)
    index = _untrained(factory, vectors)
    index.train(vectors)
    empty = None if layout.is_one else faiss.serialize_index(index)
    indexes = [index if empty is None else faiss.deserialize_index(empty) for _ in layout.rows]
    for shard, rows in zip(indexes, layout.rows, strict=True):
        shard.add(some(vectors, rows))
    return Built(indexes, None)


def trained(factory: str, vectors: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the Faiss index of a factory string with inverted lists, trained and empty.

    Of many items it is trained on a sample, some for each list.
    """
    index = _untrained(factory, vectors)
    size = min(len(vectors), _PER_LIST * _lists(index).nlist)
    rows = generator(_SEED, "lists").choice(len(vectors), size, replace=False)
    index.train(vectors[np.sort(rows)])
    return np.asarray(faiss.serialize_index(index), np.uint8)


def _untrained(factory: str, vectors: NDArray[np.float32]) -> Any:
    return faiss.index_factory(vectors.shape[1], factory, faiss.METRIC_INNER_PRODUCT)


def _lists(index: Any) -> Any:
    """Return the part of an index that has the lists."""
    whole: Any = faiss.downcast_index(index)
    return faiss.downcast_index(whole.base_index if isinstance(whole, faiss.IndexRefine) else whole)


def _packed(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 4-bit codes [n, C] as they lie in blocks, two numbers a byte of items 16 apart."""
    size = -(-len(codes) // _BLOCK)
    padded = np.zeros((size * _BLOCK, codes.shape[1]), np.uint8)
    padded[: len(codes)] = codes
    first, second = padded.reshape(size, 2, _HALF, -1)[:, :, _ORDER].transpose(1, 0, 3, 2)
    low = first & 15 | (second & 15) << 4  # of even numbers, [blocks, C, 16]
    high = first >> 4 | second >> 4 << 4
    return np.ascontiguousarray(np.stack([low, high], axis=2)).reshape(-1)
