"""The vector index over `[S_t ; S_m]`: exact where that is fast, else approximate and measured.

Shapes: Q queries, N items, D embedding length; vectors in the index are 2 D long.
"""

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from smar.artifacts import Manifest, verify_directory, write_directory
from smar.errors import ArtifactError, DataError
from smar.index.allowed import Allowed, narrowed
from smar.index.exact import exact_search
from smar.index.query_vectors import Found, search_vectors
from smar.index.settings import DEPTH, apply, as_deep_as, candidates
from smar.index.store import check_unit_rows, write_item_ids
from smar.params import IndexParams

logger = logging.getLogger(__name__)

KIND = "index"
METRIC = "inner_product"
_FILE = "index.faiss"
# Of no more items than this the best are found exactly whatever the index: what a filter leaves is
# searched as a catalogue of its size by itself is (`index.exact_below`).
_EXACT_ROWS = 50_000


@dataclass(frozen=True)
class VectorIndex:
    """Items that can be searched by gated queries.

    Args:
        index: The Faiss index.
        item_ids: Ids, in the order of the index's rows, [N].
        details: How it was built and what was measured.
    """

    index: Any
    item_ids: list[str]
    details: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "VectorIndex":
        """Return the index of a directory artefact.

        Raises:
            ArtifactError: If it is missing, damaged, or of another metric, length or size than its
                manifest says.
        """
        manifest = verify_directory(path, KIND)
        try:
            index = faiss.read_index(str(path / _FILE))
        except RuntimeError as error:
            raise ArtifactError(f"{path / _FILE}: cannot be read ({error}).") from error
        item_ids = pq.read_table(path / "items.parquet")["item_id"].to_pylist()
        seen = (index.metric_type, index.d, index.ntotal)
        expected = (faiss.METRIC_INNER_PRODUCT, manifest.details["dim"], len(item_ids))
        if seen != expected:
            raise ArtifactError(
                f"{path}: (metric, length, items) is {seen}, expected {expected}. Run `dvc repro`."
            )
        apply(index, manifest.details["settings"])
        return cls(index, item_ids, manifest.details)

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
        if k < 1 or vectors.shape[-1] != self.index.d:
            raise DataError(
                f"search: k = {k} and vectors of length {vectors.shape[-1]}; expected k >= 1 and "
                f"{self.index.d}."
            )
        return search_vectors(partial(self._search, allowed=allowed), vectors, k)

    @cached_property
    def rows(self) -> NDArray[np.float32]:
        """The item rows `[S_t ; S_m]` that every kind of index keeps, not a copy, [N, 2 D]."""
        stored = faiss.rev_swig_ptr(self._flat.get_xb(), self._flat.ntotal * self._flat.d)
        return stored.reshape(self._flat.ntotal, self._flat.d)

    @cached_property
    def _flat(self) -> Any:
        """The exact index that is part of every kind."""
        whole: Any = faiss.downcast_index(self.index)
        flat = getattr(whole, "refine_index", None) or getattr(whole, "storage", None) or whole
        return faiss.downcast_index(flat)

    def similarities(
        self, query: NDArray[np.float32], rows: NDArray[np.int64] | slice
    ) -> NDArray[np.float32]:
        """Return the exact scores of some rows, [C], for a gated query [2 D] or [K, 2 D].

        A row's score does not depend on the others: pages of one ranking fit each other.
        """
        stored = self.rows[rows]
        scores = [np.vecdot(stored, vector) for vector in np.atleast_2d(query)]  # K times [C]
        return np.asarray(np.max(scores, axis=0), np.float32)

    def _search(
        self, vectors: NDArray[np.float32], k: int, allowed: Allowed | None = None
    ) -> Found:
        vectors = np.ascontiguousarray(vectors, np.float32)
        index, params = self.index, as_deep_as(self.details.get("settings", {}), k)
        if allowed is not None:
            index = self._flat if len(allowed) <= _EXACT_ROWS else self.index
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


def gated_items(text: NDArray[np.float32], multimodal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return item rows `[S_t ; S_m]`, [N, 2 D], from unit rows [N, D] each.

    Raises:
        ArtifactError: If a row is not of unit norm: inner product and cosine would part.
    """
    check_unit_rows(text, "S_t")
    check_unit_rows(multimodal, "S_m")
    return np.concatenate([text, multimodal], axis=1)


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


def build_index(
    vectors: NDArray[np.float32],
    item_ids: list[str],
    params: IndexParams,
    sample: Callable[[], NDArray[np.float32]],
) -> VectorIndex:
    """Return the cheapest index that reaches the recall target.

    Below `exact_below` items it is flat. Above, inverted lists of 4-bit product codes with exact
    refinement (`IVF,PQ,RFlat`) are tried, settings that cost less first; if none reaches the
    target, a graph (`HNSW`) is, and at last the flat index. Recall is that of the first
    `recall_at` results of a search as deep as searches are (`DEPTH`).

    Args:
        vectors: Item rows `[S_t ; S_m]`, [N, 2 D].
        item_ids: Ids, [N].
        params: The `index` section.
        sample: Returns query vectors to measure with, [Q, 2 D]; called for approximate ones only.
    """
    if len(vectors) < params.exact_below:
        index = _flat(vectors)
        reason = f"{len(vectors)} items, exact below {params.exact_below}"
        return _described(index, item_ids, "flat", {}, 1.0, params, reason)
    queries = sample()
    k = min(params.recall_at, len(vectors))
    depth = min(max(k, DEPTH), len(vectors))
    truth = exact_search(queries, vectors, k)[1]
    best = 0.0
    for kind, build, settings in candidates(vectors):
        index = build()
        for setting in settings:
            apply(index, setting)
            found = index.search(queries, depth, params=as_deep_as(setting, depth))[1]
            recall = _recall(found[:, :k], truth)
            best = max(best, recall)
            logger.info("index: %s %s: recall@%d %.4f", kind, setting, k, recall)
            if recall >= params.recall_target:
                reason = f"the cheapest to reach recall@{k} {params.recall_target}"
                return _described(index, item_ids, kind, setting, recall, params, reason)
    reason = f"no approximate index reached {params.recall_target} (best {best:.4f})"
    return _described(_flat(vectors), item_ids, "flat", {}, 1.0, params, reason)


@contextmanager
def index_directory(path: Path, index: VectorIndex, manifest: Manifest) -> Iterator[Path]:
    """Write an index as a directory artefact, whole or not at all; yield it for further files."""
    manifest.details |= index.details
    with write_directory(path, manifest) as folder:
        try:
            faiss.write_index(index.index, str(folder / _FILE))
        except RuntimeError as error:
            # Faiss does not keep the error number; a write fails where there is no room.
            raise OSError(errno.ENOSPC, f"No space left on device ({error})") from error
        write_item_ids(folder / "items.parquet", item_id=index.item_ids)
        yield folder


def _flat(vectors: NDArray[np.float32]) -> Any:
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


def _recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Return the mean share of the true top k that was found."""
    shared = [len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True)]
    return float(np.mean(shared)) / truth.shape[1]


def _described(
    index: Any,
    item_ids: list[str],
    kind: str,
    settings: dict[str, int],
    recall: float,
    params: IndexParams,
    reason: str,
) -> VectorIndex:
    details = {
        "kind": kind,
        "settings": settings,
        "metric": METRIC,
        "dim": index.d,
        "recall": recall,
        "recall_at": params.recall_at,
        "reason": reason,
    }
    return VectorIndex(index, item_ids, details)
