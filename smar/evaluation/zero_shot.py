"""The start before training, as one more system that is compared.

Shapes: Q queries, N items, D embedding length, K results.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.artifacts import Manifest, digest, read_manifest
from smar.data.images import ImageStore
from smar.features.source import open_source
from smar.index.exact import exact_search
from smar.index.query_vectors import search_vectors
from smar.index.refresh import refresh
from smar.index.store import KIND, EmbeddingStore, content_shas, previous_store, write_store
from smar.judging.runs import Run
from smar.models.alignment import alignment_of
from smar.models.device import place_model
from smar.models.dual_encoder import DualEncoder
from smar.models.embeddings import ItemEmbeddings
from smar.models.encode import encode_items, encode_queries
from smar.models.io import load_model
from smar.paths import Paths

logger = logging.getLogger(__name__)

NAME = "zero_shot"
NO_START = "no start"  # kind of the folder where nothing starts aligned
_BATCH = 256
_SHARD = 4096  # items whose vectors are held at once


@dataclass(frozen=True)
class ZeroShot:
    """An untrained start and what it makes of a catalogue.

    Args:
        model: The model before its first step.
        items: A vector an item, [N, D]: S_t, or the mean of S_t and S_i where both are aligned and
            the item has a picture.
        told: What it is, in words.
    """

    model: DualEncoder
    items: NDArray[np.float32]
    told: str

    def run(self, queries: Sequence[str], k: int) -> Run:
        """Return what it finds, k results a query."""
        vectors = encode_queries(self.model, queries).vector
        scores, rows = search_vectors(lambda v, n: exact_search(v, self.items, n), vectors, k)
        return Run(NAME, rows, scores)


def read_zero_shot(
    paths: Paths, items: pd.DataFrame, images: ImageStore, threads: int
) -> tuple[ZeroShot | None, str]:
    """Return the start of the model, None if nothing in it is aligned, and what there is to tell.

    Items are encoded once per start and content; the vectors lie in the project's work folder.

    Args:
        paths: The project.
        items: Item table (`schema.ITEMS`), [N].
        images: The picture store.
        threads: CPU threads; 0 = all.
    """
    if not (paths.start / "config.json").is_file():
        return None, str(read_manifest(paths.start, NO_START).details["reason"])
    model = place_model(load_model(paths.start), threads)
    found = alignment_of(model)
    where = paths.work / NAME
    sha = digest(paths.start)
    previous = previous_store(where, sha)
    source = open_source(paths.features, images, model)

    def encode(some: pd.DataFrame) -> Iterator[ItemEmbeddings]:
        for start in range(0, max(1, len(some)), _SHARD):
            part = some.iloc[start : start + _SHARD].reset_index(drop=True)
            yield encode_items(model, part, source, _BATCH, bar=False)

    store, new = refresh(items, content_shas(items, images), previous, sha, encode, paths.work)
    if new or previous is None:
        write_store(where, store, Manifest(kind=KIND))
    logger.info("zero-shot: %s; %d items encoded", found.told, new)
    return ZeroShot(model, _vectors(store, found.parts), found.told), found.told


def _vectors(store: EmbeddingStore, parts: Sequence[str]) -> NDArray[np.float32]:
    """Return one vector an item of its aligned parts, [N, D]."""
    if len(parts) == 1:
        return np.asarray(getattr(store, parts[0]))
    has_picture = store.image.any(axis=1, keepdims=True)
    both = (store.text + store.image) / 2
    return np.where(has_picture, both, store.text).astype(np.float32)
