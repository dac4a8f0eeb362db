"""The vector index over `[S_t ; S_m]`, in one shard or several.

Shapes: Q queries, N items, S shards, C items looked at, D embedding length; vectors in the index
are 2 D long.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from smar.errors import DataError
from smar.index.allowed import Allowed
from smar.index.compact import cut_halves
from smar.index.layout import Layout
from smar.index.lists import Lists
from smar.index.passes import filled, left_by, merged
from smar.index.query_vectors import Found, search_vectors
from smar.index.settings import DEPTH, apply, refined_depth
from smar.index.shard import Shard, of_each
from smar.index.shard_files import read_shards
from smar.index.store import check_unit_rows
from smar.scratch import written
from smar.verified import Verified

KIND = "index"
METRIC = "inner_product"
# Of no more items than this the best are found exactly whatever the index: what a filter leaves is
# searched as a catalogue of its size by itself is (`index.exact_below`).
_EXACT_ROWS = 50_000
_MOST_ROUNDED = 2**28
_AGAINST = 2.0
_AT_ONCE = 4096  # rows that are put together


@dataclass(frozen=True)
class VectorIndex:
    """Items that can be searched by gated queries.

    What is found depends on the vectors and the settings, not on how many shards there are: each
    shard is searched by itself, and a pass over all of them leaves what it would leave of one
    (`passes`). The scores of a search are those of `similarities`, bit for bit, and equal ones come
    in the order of the rows.

    Args:
        shards: The Faiss indexes of the shards, at least one.
        item_ids: Ids, in the order of the catalogue, [N].
        details: How it was built and what was measured.
        layout: Which items lie in which shard.
        lists: What inverted lists hold of all items, for a later run to fill them with; None where
            there are none, and of an index that was read.
    """

    shards: Sequence[Shard]
    item_ids: list[str]
    details: dict[str, Any] = field(default_factory=dict)
    layout: Layout = field(default_factory=Layout)
    lists: Lists | None = None

    @classmethod
    def of(
        cls, index: Any, item_ids: list[str], details: dict[str, Any] | None = None
    ) -> "VectorIndex":
        """Return the index of one shard, a Faiss index of whole vectors in the items' order."""
        return cls([Shard(index)], item_ids, details or {})

    @classmethod
    def load(cls, path: Path, verified: Verified | None = None) -> "VectorIndex":
        """Return the index of a directory artefact; `verified` as for `read_shards`.

        Raises:
            ArtifactError: If a shard is missing, damaged, of another build, or of another metric,
                length or size than the manifest says.
        """
        shards, item_ids, details, layout = read_shards(path, KIND, verified)
        index = cls(shards, item_ids, details, layout)
        index.set(details["settings"])
        return index

    def set(self, settings: dict[str, int]) -> None:
        """Have the index searched with other settings."""
        for shard in self.shards:
            apply(shard.index, settings)
        self.details["settings"] = settings

    def hastened(self) -> "VectorIndex":
        """Return the index with its exact searches hastened, for the same results.

        It takes a byte of memory for each number of a vector, and reading all vectors once; of more
        than `_MOST_ROUNDED` numbers it is left.
        """
        numbers = len(self.item_ids) * self.length
        if all(shard.rounded is not None for shard in self.shards) or numbers > _MOST_ROUNDED:
            return self
        return replace(self, shards=[shard.hastened() for shard in self.shards])

    @property
    def length(self) -> int:
        """Length of a query, 2 D."""
        return int(self.shards[0].exact.d)

    def search(self, vectors: NDArray[np.float32], k: int, allowed: Allowed | None = None) -> Found:
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

    def gathered(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the item rows `[S_t ; S_m]` of some items, [C, 2 D]."""
        found = np.empty((len(rows), self.length), np.float32)
        for shard, here, places in self._in_shards(rows):
            found[here] = shard.vectors[places]
        return found

    def similarities(
        self, query: NDArray[np.float32], rows: NDArray[np.int64] | slice
    ) -> NDArray[np.float32]:
        """Return the exact scores of some rows, [C], for a gated query [2 D] or [K, 2 D].

        A row's score does not depend on the others: pages of one ranking fit each other.
        """
        wanted = np.arange(*rows.indices(len(self.item_ids))) if isinstance(rows, slice) else rows
        scores = np.empty(len(wanted), np.float32)
        for shard, here, places in self._in_shards(wanted):
            scores[here] = shard.similarities(query, places)
        return scores

    def _in_shards(
        self, rows: NDArray[np.int64]
    ) -> Sequence[tuple[Shard, NDArray[np.int64] | slice, NDArray[np.int64]]]:
        """Return the shards of some rows, which of the rows are theirs, and at which places."""
        if not len(rows):
            return []
        numbers = self.layout.numbers
        if numbers is None:
            return [(self.shards[0], slice(None), rows)]
        places, of_rows = self.layout.places[rows], numbers[rows]
        found = []
        for number, shard in enumerate(self.shards):
            here = np.flatnonzero(of_rows == number)
            if len(here):
                found.append((shard, here, places[here]))
        return found

    def _search(
        self, vectors: NDArray[np.float32], k: int, allowed: Allowed | None = None
    ) -> Found:
        vectors = np.ascontiguousarray(vectors, np.float32)
        within = [shard.within(allowed) for shard in self.shards]
        is_exact = self.shards[0].is_flat or self._is_few(allowed)
        if is_exact and self.shards[0].rounded is not None:
            best = of_each(lambda shard, own: shard.best_rounded(vectors, k, own), self.shards,
                           within)  # fmt: skip
            return merged(best, k)
        left = self._passed(vectors, k, allowed, within, is_exact=is_exact)
        best = of_each(
            lambda shard, places: shard.best(vectors, places, k),
            self.shards,
            [places for _, places in left],
        )
        return merged(best, k)

    def _passed(
        self,
        vectors: NDArray[np.float32],
        k: int,
        allowed: Allowed | None,
        within: Sequence[Allowed | None],
        *,
        is_exact: bool,
    ) -> list[Found]:
        """Return what is left of each shard to be scored by whole vectors: scores, places."""
        first, settings = self.shards[0], self.details.get("settings", {})
        queries, depth = vectors, k
        compact = None if is_exact else self.details.get("compact")
        if compact:
            queries = cut_halves(vectors, compact["dim"])
            depth = max(k, settings.get("rescored", DEPTH))
        looked_at = depth if is_exact else refined_depth(settings, depth)
        further = 1.0 if allowed is None else _further(len(allowed.mask) / max(1, len(allowed)))

        def near(asked: NDArray[np.float32], further: float) -> list[Found]:
            given = partial(Shard.near, further=further, is_exact=is_exact)
            return of_each(
                lambda shard, own: given(shard, asked, looked_at, own), self.shards, within
            )

        left = near(queries, further)
        if allowed is not None and not is_exact:
            left = filled(left, lambda some, more: near(queries[some], more * further),
                          min(looked_at, len(allowed)))  # fmt: skip
        if len(left) > 1:  # a shard by itself has left no more
            left = left_by(left, looked_at, first.slack(queries, is_exact=is_exact))
        if is_exact or not first.is_refined:
            return left
        again = of_each(lambda shard, own: shard.again(queries, own), self.shards, left)
        return left_by(again, depth, np.zeros(len(vectors), np.float32))

    @staticmethod
    def _is_few(allowed: Allowed | None) -> bool:
        return allowed is not None and len(allowed) <= _EXACT_ROWS


def _further(of_each: float) -> float:
    """Return how much further a search looks where one in so many items is allowed.

    As many as are allowed would do where those lie as others do. A filter that goes with what is
    asked for, or against it (helmets among office goods), leaves items further out.
    """
    return of_each * min(of_each, _AGAINST)


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
    starts = range(0, max(1, len(text)), _AT_ONCE)
    parts = [slice(start, start + _AT_ONCE) for start in starts]
    blocks = (np.concatenate([text[part], multimodal[part]], axis=1) for part in parts)
    return written(folder, np.float32, blocks)


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
