"""Embeddings of a catalogue that changed: only what is new is encoded.

Shapes: N items, D embedding length.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from smar.errors import ShapeError
from smar.index.store import PARTS, EmbeddingStore
from smar.models.embeddings import ItemEmbeddings
from smar.scratch import scratch

_BLOCK = 65_536  # rows taken over at once


def refresh(
    items: pd.DataFrame,
    shas: Sequence[str],
    previous: EmbeddingStore | None,
    model_sha: str,
    encode: Callable[[pd.DataFrame], Iterable[ItemEmbeddings]],
    folder: Path,
) -> tuple[EmbeddingStore, int]:
    """Return the embeddings of all items, and how many of them were encoded.

    They lie in files of `folder` without a name: memory holds one part at a time.

    Args:
        items: Item table (`schema.ITEMS`), [N].
        shas: What each row is made from (`content_shas`), [N].
        previous: Embeddings by the same model, whose rows of equal content are taken over.
        model_sha: Digest of the model.
        encode: Yields the embeddings of items, part after part, at least one; called if there are
            new ones, or none before.
        folder: Where there is room for the embeddings.

    Raises:
        ShapeError: If the parts are not as many rows as items were given.
    """
    row_of = {sha: row for row, sha in enumerate(previous.content_shas if previous else [])}
    old = np.array([row_of.get(sha, -1) for sha in shas], np.int64)
    new = np.flatnonzero(old < 0)
    parts = {}
    if previous is not None:
        for name in PARTS:
            before = getattr(previous, name)
            parts[name] = scratch(folder, np.float32, (len(items), before.shape[1]))
            for start in range(0, len(old), _BLOCK):
                parts[name][start : start + _BLOCK] = before[old[start : start + _BLOCK]]
    if previous is None or len(new):
        done = 0
        for made in encode(items.iloc[new].reset_index(drop=True)):
            rows = new[done : done + len(made.text)]
            done += len(made.text)
            for name in PARTS:
                part = getattr(made, name)
                if name not in parts:
                    parts[name] = scratch(folder, np.float32, (len(items), part.shape[1]))
                parts[name][rows] = part[: len(rows)]
        if done != len(new):
            raise ShapeError(f"refresh: {done} rows were encoded, expected {len(new)}.")
    store = EmbeddingStore(list(items["item_id"]), list(shas), model_sha=model_sha, **parts)
    return store, len(new)
