"""Inverted lists of Faiss filled with what is known: the list and the code of each item.

Faiss looks for the nearest of all lists for every vector that is added, and after the training this
is most of the work. Which list and code a vector gets depends on the trained centres and on itself
alone, so those of an earlier run stay right; lists that are filled with them are, byte for byte,
those that Faiss fills by `add` (`tests/index/test_lists.py`).

Shapes: N items, C bytes of a code, L lists; vectors in the index are 2 D long.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

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
    def of(cls, trained: NDArray[np.uint8], vectors: NDArray[np.float32]) -> "Lists":
        """Return where a trained index has vectors, [N, 2 D]."""
        index = faiss.deserialize_index(trained)
        lists = _lists(index)
        numbers = np.empty(len(vectors), np.int64)
        codes = np.empty((len(vectors), lists.code_size), np.uint8)
        for start in range(0, len(vectors), _AT_ONCE):
            here = slice(start, start + _AT_ONCE)
            some = np.ascontiguousarray(vectors[here], np.float32)
            numbers[here] = lists.quantizer.search(some, 1)[1][:, 0]
            pointers = (faiss.swig_ptr(each) for each in (some, numbers[here], codes[here]))
            lists.encode_vectors(len(some), *pointers)
        return cls(trained, numbers, codes)

    def changed(self, vectors: NDArray[np.float32], rows: NDArray[np.int64]) -> "Lists":
        """Return where the same index has other vectors.

        Args:
            vectors: Item rows, [N, 2 D].
            rows: Where each is here, -1 for those that are not.
        """
        new = np.flatnonzero(rows < 0)
        made = Lists.of(self.trained, vectors[new])
        numbers, codes = self.numbers[rows], self.codes[rows]
        numbers[new], codes[new] = made.numbers, made.codes
        return Lists(self.trained, numbers, codes)

    def filled(self, vectors: NDArray[np.float32]) -> Any:
        """Return the Faiss index of the vectors that the lists are of, [N, 2 D]."""
        index = faiss.deserialize_index(self.trained)
        lists = _lists(index)
        order = np.argsort(self.numbers, kind="stable").astype(np.int64)
        sizes = np.bincount(self.numbers, minlength=lists.nlist)
        stored: Any = faiss.downcast_InvertedLists(lists.invlists)
        codes, begins = self.codes[order], np.cumsum(sizes) - sizes
        is_packed = isinstance(stored, _FAISS.BlockInvertedLists)
        for number in np.flatnonzero(sizes).tolist():
            items = slice(begins[number], begins[number] + sizes[number])
            held, rows = codes[items], order[items]
            held = _packed(held) if is_packed else held
            stored.add_entries(number, len(rows), faiss.swig_ptr(rows), faiss.swig_ptr(held))
        lists.ntotal = len(vectors)
        whole: Any = faiss.downcast_index(index)
        if isinstance(whole, faiss.IndexRefine):
            whole.refine_index.add(vectors)
            whole.ntotal = len(vectors)
        return index


class Built(NamedTuple):
    """A Faiss index with what its lists hold, None of one without lists."""

    index: Any
    lists: Lists | None


def built(factory: str, vectors: NDArray[np.float32]) -> Built:
    """Return the Faiss index of a factory string over item rows, [N, 2 D]."""
    if factory.startswith(WITH_LISTS):
        lists = Lists.of(trained(factory, vectors), vectors)
        return Built(lists.filled(vectors), lists)
    index = _untrained(factory, vectors)
    index.train(vectors)
    index.add(vectors)
    return Built(index, None)


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
