"""Embeddings of a catalogue that changed: only what is new is encoded.

Shapes: N items, D embedding length.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from smar.index.store import PARTS, EmbeddingStore
from smar.models.embeddings import ItemEmbeddings


def refresh(
    items: pd.DataFrame,
    shas: Sequence[str],
    previous: EmbeddingStore | None,
    model_sha: str,
    encode: Callable[[pd.DataFrame], ItemEmbeddings],
) -> tuple[EmbeddingStore, int]:
    """Return the embeddings of all items, and how many of them were encoded.

    Args:
        items: Item table (`schema.ITEMS`), [N].
        shas: What each row is made from (`content_shas`), [N].
        previous: Embeddings by the same model, whose rows of equal content are taken over.
        model_sha: Digest of the model.
        encode: Returns the embeddings of items; called if there are new ones, or none before.
    """
    row_of = {sha: row for row, sha in enumerate(previous.content_shas if previous else [])}
    old = np.array([row_of.get(sha, -1) for sha in shas], np.int64)
    new = np.flatnonzero(old < 0)
    parts = {}
    if previous is not None:
        for name in PARTS:
            parts[name] = np.ascontiguousarray(getattr(previous, name)[old])
    if previous is None or len(new):
        made = encode(items.iloc[new].reset_index(drop=True))
        for name in PARTS:
            rows = getattr(made, name)
            parts.setdefault(name, np.empty((len(items), rows.shape[1]), np.float32))
            parts[name][new] = rows
    store = EmbeddingStore(list(items["item_id"]), list(shas), model_sha=model_sha, **parts)
    return store, len(new)
