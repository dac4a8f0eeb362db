"""The index over item embeddings and item words, measured against exact search."""

import logging
from dataclasses import replace
from functools import cache
from pathlib import Path

from smar.params import load_params
from smar.paths import Paths

logger = logging.getLogger(__name__)

_MOST_QUERIES = 2000  # that the words' share is chosen by


def run(root: Path) -> None:
    """Index every item once as `[S_t ; S_m]`, and its words.

    Reads:
        data/accepted/items.parquet, data/embeddings/; to measure and choose with:
        data/accepted/queries.parquet, data/accepted/engagements.parquet, data/synthetic/,
        models/retriever/
    Writes:
        data/index/, metrics/index.json
    """
    import numpy as np
    from numpy.typing import NDArray

    from smar.artifacts import Manifest, digests, write_json
    from smar.data import schema
    from smar.data.text import item_texts
    from smar.index.ann import KIND, build_index, gated_items, gated_queries, set_faiss_threads
    from smar.index.hybrid import HybridIndex, best_share, recall_by_share, write_index
    from smar.index.store import EmbeddingStore
    from smar.index.words import WordIndex
    from smar.judging import sets
    from smar.models.encode import encode_queries
    from smar.models.io import load_model
    from smar.seeding import generator

    params = load_params(Paths(root).params)
    paths = Paths(root)
    inputs = digests(
        root,
        paths.items,
        paths.queries,
        paths.engagements,
        paths.synthetic,
        paths.embeddings,
        paths.retriever,
    )
    logger.info("index: %s", params.index.model_dump())
    set_faiss_threads(params.threads)
    store = EmbeddingStore.load(paths.embeddings)
    vectors = gated_items(store.text, store.multimodal)

    model = cache(lambda: load_model(paths.retriever))

    def sample() -> NDArray[np.float32]:
        """Return real queries, or, before there are any, items' own vectors at gate 0.5."""
        rng = generator(params.seed, "index")
        texts = schema.read_table(paths.queries, schema.QUERIES)["query"].to_numpy()
        size = params.index.sample_queries
        if len(texts):
            chosen = rng.choice(texts, min(size, len(texts)), replace=False)
            encoded = encode_queries(model(), list(chosen))
            gated = gated_queries(encoded.vector, encoded.gate)
            return gated.reshape(-1, gated.shape[-1])  # each of several vectors is a search
        rows = rng.choice(len(vectors), min(size, len(vectors)), replace=False)
        return (vectors[rows] / 2).astype(np.float32)

    share = params.index.word_share
    index = HybridIndex(
        build_index(vectors, store.item_ids, params.index, sample),
        WordIndex.build(item_texts(schema.read_table(paths.items, schema.ITEMS))),
        0.0 if share == "auto" else share,
    )

    def choose() -> dict[float, float]:
        """Return the recall by share of the words, empty if there is no query to choose by."""
        chosen_by = sets.choice_set(
            schema.read_table(paths.queries, schema.QUERIES),
            schema.read_table(paths.engagements, schema.ENGAGEMENTS),
            schema.read_table(paths.synthetic / "queries.parquet", schema.SYNTHETIC),
            store.item_ids,
            params.seed,
        )
        rows = generator(params.seed, "words").permutation(len(chosen_by))[:_MOST_QUERIES]
        if not len(rows):
            return {}
        texts = [chosen_by.texts[row] for row in rows]
        encoded = encode_queries(model(), texts)
        relevant = chosen_by.relevant[rows]
        return recall_by_share(index, texts, encoded, relevant, params.index.recall_at)

    recalls = choose() if share == "auto" else {}
    if recalls:
        index = replace(index, word_share=best_share(recalls))
    manifest = Manifest(
        kind=KIND,
        inputs=inputs,
        params=params.index.model_dump(),
        counts={"items": len(store.item_ids)},
        details={"model_sha": store.model_sha},
    )
    write_index(paths.index, index, manifest)
    figures = {
        "items": len(store.item_ids),
        "recall": index.vectors.details["recall"],
        "exact": int(index.vectors.details["kind"] == "flat"),
        "bytes": (paths.index / "index.faiss").stat().st_size,
        "word_share": index.word_share,
        **{f"recall_with_word_share_{share:g}": recall for share, recall in recalls.items()},
    }
    write_json(paths.metrics("index"), figures)
    logger.info("index: %s, %s", index.vectors.details, figures)
