"""Item vectors; only items whose content changed are encoded again."""

import logging
from pathlib import Path

from smar.params import load_params
from smar.paths import Paths

logger = logging.getLogger(__name__)


def run(root: Path) -> None:
    """Write S_t, S_i and S_m of every item, taking over those of unchanged items.

    Reads:
        data/accepted/items.parquet, data/images/, models/retriever/, data/embeddings/ (the previous
        ones)
    Writes:
        data/embeddings/, metrics/embed.json
    """
    import numpy as np

    from smar.artifacts import Manifest, digests, write_json
    from smar.data import schema
    from smar.data.images import ImageStore
    from smar.index.store import (
        KIND,
        PARTS,
        EmbeddingStore,
        content_shas,
        previous_store,
        write_store,
    )

    params = load_params(Paths(root).params)
    paths = Paths(root)
    logger.info("embed: %s", params.embed.model_dump())
    inputs = digests(root, paths.items, paths.images, paths.retriever)
    model_sha = inputs["models/retriever"]
    items = schema.read_table(paths.items, schema.ITEMS)
    images = ImageStore.open(paths.images)
    shas = content_shas(items, images)
    previous = previous_store(paths.embeddings, model_sha)
    row_of = {sha: row for row, sha in enumerate(previous.content_shas if previous else [])}
    old = np.array([row_of.get(sha, -1) for sha in shas])
    new = np.flatnonzero(old < 0)
    parts = {}
    if previous is not None:
        for name in PARTS:
            parts[name] = np.ascontiguousarray(getattr(previous, name)[old])
    if previous is None or len(new):
        from smar.models.device import place_model
        from smar.models.encode import encode_items
        from smar.models.io import load_model

        model = place_model(load_model(paths.retriever), params.threads)
        made = encode_items(
            model, items.iloc[new].reset_index(drop=True), images, params.embed.batch_size
        )
        for name in PARTS:
            parts.setdefault(name, np.empty((len(items), model.dim), np.float32))
            parts[name][new] = getattr(made, name)
    counts = {
        "items": len(items),
        "encoded": len(new),
        "reused": len(items) - len(new),
        "without_picture": int((items["image_ids"].str.len() == 0).sum()),
    }
    store = EmbeddingStore(list(items["item_id"]), shas, model_sha=model_sha, **parts)
    # This run's own figures stay out of the manifest: same items and model, same bytes.
    counted = {name: counts[name] for name in ("items", "without_picture")}
    write_store(
        paths.embeddings,
        store,
        Manifest(kind=KIND, inputs=inputs, params=params.embed.model_dump(), counts=counted),
    )
    write_json(paths.metrics("embed"), counts)
    logger.info("embed: %s", counts)
