"""The vector index over `[S_t ; S_m]`.

Shapes: Q queries, N items, D embedding length; vectors in the index are 2 D long.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from smar.artifacts import Manifest, verify_directory, write_directory
from smar.data import schema
from smar.errors import ArtifactError, DataError
from smar.index.allowed import Allowed, narrowed
from smar.index.compact import two_passes
from smar.index.lists import Lists
from smar.index.query_vectors import Found, search_vectors
from smar.index.rounded import RoundedRows
from smar.index.settings import apply, as_deep_as
from smar.index.store import check_unit_rows, write_item_ids
from smar.scratch import scratch

KIND = "index"
METRIC = "inner_product"
_FILE = "index.faiss"
_WHOLE = "whole.faiss"  # beside an index of compact vectors
# Of no more items than this the best are found exactly whatever the index: what a filter leaves is
# searched as a catalogue of its size by itself is (`index.exact_below`).
_EXACT_ROWS = 50_000
_MOST_ROUNDED = 2**28


@dataclass(frozen=True)
class VectorIndex:
    """Items that can be searched by gated queries.

    Args:
        index: The Faiss index.
        item_ids: Ids, in the order of the index's rows, [N].
        details: How it was built and what was measured.
        whole: The exact index of whole vectors, where `index` holds compact ones; None: it holds
            whole ones itself.
        rounded: What searches exactly in a quarter of the time, None where nothing does.
        lists: What inverted lists hold, for a later run to fill them with; None where there are
            none, and of an index that was read.
    """

    index: Any
    item_ids: list[str]
    details: dict[str, Any] = field(default_factory=dict)
    whole: Any = None
    rounded: RoundedRows | None = None
    lists: Lists | None = None

    @classmethod
    def load(cls, path: Path) -> "VectorIndex":
        """Return the index of a directory artefact.

        Raises:
            ArtifactError: If it is missing, damaged, or of another metric, length or size than its
                manifest says.
        """
        details = verify_directory(path, KIND).details
        item_ids = schema.read_arrow(path / "items.parquet")["item_id"].to_pylist()
        compact = details.get("compact")
        length = 2 * compact["dim"] if compact and compact["dim"] else details["dim"]
        index = _read(path / _FILE, length, len(item_ids))
        whole = None
        if compact:
            whole = _read(path / _WHOLE, details["dim"], len(item_ids))
        apply(index, details["settings"])
        return cls(index, item_ids, details, whole)

    def hastened(self) -> "VectorIndex":
        """Return the index with its exact searches hastened, for the same results.

        It takes a byte of memory for each number of a vector, and reading all vectors once; of more
        than `_MOST_ROUNDED` numbers it is left.
        """
        if self.rounded is not None or self.rows.size > _MOST_ROUNDED:
            return self
        return replace(self, rounded=RoundedRows(self.rows, self.similarities))

    @property
    def length(self) -> int:
        """Length of a query, 2 D."""
        return int((self.index if self.whole is None else self.whole).d)

    def search(
        self, vectors: NDArray[np.float32], k: int, allowed: Allowed | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return scores in [-1, 1] and item rows, [Q, k] each, best first; row -1 means none.

        Args:
            vectors: Gated queries, [Q, 2 D], or [Q, K, 2 D] of K vectors each (the best counts).
            k: Results per query, at least 1.
            allowed: The items that may be found, None for all. An approximate index scores few of
                them exactly, and looks the further for many the fewer they are.

        Raises:
            DataError: If k is below 1 or the vectors have another length.
        """
        if k < 1 or vectors.shape[-1] != self.length:
            raise DataError(
                f"search: k = {k} and vectors of length {vectors.shape[-1]}; expected k >= 1 and "
                f"{self.length}."
            )
        return search_vectors(partial(self._search, allowed=allowed), vectors, k)

    @cached_property
    def rows(self) -> NDArray[np.float32]:
        """The item rows `[S_t ; S_m]` that every kind of index keeps, not a copy, [N, 2 D]."""
        stored = faiss.rev_swig_ptr(self._flat.get_xb(), self._flat.ntotal * self._flat.d)
        stored.flags.writeable = False  # those of a file are mapped and cannot be
        return stored.reshape(self._flat.ntotal, self._flat.d)

    @cached_property
    def _flat(self) -> Any:
        """The exact index that is part of every kind."""
        if self.whole is not None:
            return faiss.downcast_index(self.whole)
        whole: Any = faiss.downcast_index(self.index)
        flat = getattr(whole, "refine_index", None) or getattr(whole, "storage", None) or whole
        return faiss.downcast_index(flat)

    def similarities(
        self, query: NDArray[np.float32], rows: NDArray[np.int64] | slice
    ) -> NDArray[np.float32]:
        """Return the exact scores of some rows, [C], for a gated query [2 D] or [K, 2 D].

        A row's score does not depend on the others: pages of one ranking fit each other. Rows are
        read where the index holds them; to gather them first takes twice as long.
        """
        wanted = np.arange(*rows.indices(len(self.item_ids))) if isinstance(rows, slice) else rows
        if not len(wanted):
            return np.empty(0, np.float32)
        queries = np.ascontiguousarray(np.atleast_2d(query), np.float32)
        labels = np.tile(np.asarray(wanted, np.int64), (len(queries), 1))
        scores = np.empty(labels.shape, np.float32)
        self._flat.compute_distance_subset(
            len(queries),
            faiss.swig_ptr(queries),
            labels.shape[1],
            faiss.swig_ptr(scores),
            faiss.swig_ptr(labels),
        )
        return np.asarray(scores.max(axis=0))

    def are_exact(self, allowed: Allowed | None) -> bool:
        """Return whether the scores of a search are those of `similarities`, bit for bit.

        So they are where few finds are scored one by one, as `similarities` does it.
        """
        is_refined = self.whole is None and issubclass(self._kind, faiss.IndexRefineFlat)
        return self._is_rounded(allowed) or (is_refined and not self._is_few(allowed))

    def _is_rounded(self, allowed: Allowed | None) -> bool:
        """Return whether rounded vectors come first in a search, which is exact then."""
        is_flat = self.whole is None and issubclass(self._kind, faiss.IndexFlat)
        return self.rounded is not None and (is_flat or self._is_few(allowed))

    @cached_property
    def _kind(self) -> type:
        return type(faiss.downcast_index(self.index))

    @staticmethod
    def _is_few(allowed: Allowed | None) -> bool:
        return allowed is not None and len(allowed) <= _EXACT_ROWS

    def _search(
        self, vectors: NDArray[np.float32], k: int, allowed: Allowed | None = None
    ) -> Found:
        vectors = np.ascontiguousarray(vectors, np.float32)
        if self.rounded is not None and self._is_rounded(allowed):
            return self.rounded.search(vectors, k, None if allowed is None else allowed.rows)
        is_few = self._is_few(allowed)
        if self.whole is not None and not is_few:
            return two_passes(
                self.index,
                self.rows,
                vectors,
                k,
                settings=self.details["settings"],
                length=self.details["compact"]["dim"],
                params=None if allowed is None else narrowed(self.index, allowed),
            )
        index, params = self.index, as_deep_as(self.details.get("settings", {}), k)
        if allowed is not None:
            index = self._flat if is_few else self.index
            params = narrowed(index, allowed, params)
        scores, rows = index.search(vectors, k, params=params)
        # Faiss leaves the order of ties open: order by score, then by row, with -1 last.
        order = np.lexsort((np.where(rows < 0, len(self.item_ids), rows), -scores), axis=1)
        return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)


def whole_k(k: int, num_items: int) -> int:
    """Return how many results there can be, at most `num_items`, as a plain number.

    Raises:
        DataError: If k is no whole number or below 1.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise DataError(f"search: k is {k!r}, expected a whole number of at least 1.")
    return min(int(k), num_items)


def gated_items(
    text: NDArray[np.float32], multimodal: NDArray[np.float32], folder: Path | None = None
) -> NDArray[np.float32]:
    """Return item rows `[S_t ; S_m]`, [N, 2 D], from unit rows [N, D] each.

    Args:
        text: S_t, in memory or mapped.
        multimodal: S_m, likewise.
        folder: Where they lie in a file without a name; None: in memory.

    Raises:
        ArtifactError: If a row is not of unit norm: inner product and cosine would part.
    """
    check_unit_rows(text, "S_t")
    check_unit_rows(multimodal, "S_m")
    if folder is None:
        return np.concatenate([text, multimodal], axis=1)
    dim = text.shape[1]
    rows = scratch(folder, np.float32, (len(text), 2 * dim))
    rows[:, :dim], rows[:, dim:] = text, multimodal
    return rows


def gated_queries(vector: NDArray[np.float32], gate: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return query rows `[(1-g) Q ; g Q]`, [Q, 2 D] or [Q, K, 2 D], from unit rows and gates [Q].

    Args:
        vector: Q, [Q, D], or [Q, K, D] of queries with K vectors each; all share the query's gate.
        gate: P(q), [Q].
    """
    share = gate.astype(np.float32).reshape(-1, *[1] * (vector.ndim - 1))
    return np.concatenate([(1 - share) * vector, share * vector], axis=-1)


def set_faiss_threads(threads: int) -> None:
    """Set Faiss's threads; 0 = as many as the process may use."""
    faiss.omp_set_num_threads(threads or len(os.sched_getaffinity(0)))


@contextmanager
def index_directory(path: Path, index: VectorIndex, manifest: Manifest) -> Iterator[Path]:
    """Write an index as a directory artefact, whole or not at all; yield it for further files."""
    manifest.details |= index.details
    with write_directory(path, manifest) as folder:
        try:
            faiss.write_index(index.index, str(folder / _FILE))
            if index.whole is not None:
                faiss.write_index(index.whole, str(folder / _WHOLE))
        except RuntimeError as error:
            # Faiss does not keep the error number; a write fails where there is no room.
            raise OSError(errno.ENOSPC, f"No space left on device ({error})") from error
        write_item_ids(folder / "items.parquet", item_id=index.item_ids)
        yield folder


def _read(path: Path, length: int, num_items: int) -> Any:
    """Return the index of a file, its vectors mapped.

    They are read where a find is scored and not before, and processes that serve one index have
    them in memory once.

    Raises:
        ArtifactError: If it cannot be read, or is of another metric, length or size.
    """
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise ArtifactError(f"{path}: cannot be read ({error}).") from error
    seen = (index.metric_type, index.d, index.ntotal)
    expected = (faiss.METRIC_INNER_PRODUCT, length, num_items)
    if seen != expected:
        raise ArtifactError(
            f"{path}: (metric, length, items) is {seen}, expected {expected}. Run `dvc repro`."
        )
    return index
