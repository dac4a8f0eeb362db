"""The index over item embeddings and item words, measured against exact search."""

import logging
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from smar.checks import Check
from smar.declaration import Stage
from smar.paths import Paths

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from smar.index.choice import Encode, ShareChoice
    from smar.index.hybrid import HybridIndex
    from smar.index.store import EmbeddingStore
    from smar.params import Params

logger = logging.getLogger(__name__)

STAGE = Stage(
    summary=str(__doc__),
    reads=[
        "data/accepted/items.parquet",
        "data/accepted/queries.parquet",
        "data/accepted/engagements.parquet",
        "data/accepted/judgements.parquet",
        "data/synthetic",
        "data/embeddings",
        "models/retriever",
    ],
    writes=[
        "data/index",
        "reports/outcomes/index.json",
        "metrics/index.json",
    ],
    params=["seed", "threads", "index", "evaluate.relevant_grade"],
    compared=["bytes", "recall", "word_share"],
    checks={
        "every_item_is_indexed": Check(text="Vectors and words are of the same items, all there."),
        "index_finds_what_exact_search_finds": Check(
            text="The index reaches `index.recall_target` against exact search, measured anew."
        ),
    },
)


def run(root: Path) -> None:
    """Index every item once as `[S_t ; S_m]`, and its words.

    Queries, engagements and the model only measure and choose; they are read if that is asked for.
    """
    from smar.artifacts import Manifest
    from smar.data import schema
    from smar.index.ann import KIND, set_faiss_threads
    from smar.index.coverage import check_coverage, check_recall
    from smar.index.hybrid import write_index
    from smar.index.store import EmbeddingStore
    from smar.params import load_params

    params = load_params(Paths(root).params)
    paths = Paths(root)
    inputs = STAGE.digests(root)
    logger.info("index: %s", params.index.model_dump())
    set_faiss_threads(params.threads)
    store = EmbeddingStore.load(paths.embeddings)
    items = schema.read_table(paths.items, schema.ITEMS)
    coverage = check_coverage("every_item_is_indexed", list(items["item_id"]), store.item_ids)
    if not coverage.passed:  # words and vectors would be of different items
        STAGE.with_checks(paths.outcome("index"), {}, [coverage])
    index, choice = _build(paths, params, store, items)
    figures = {
        "items": len(store.item_ids),
        "recall": index.vectors.details["recall"],
        "exact": int(index.vectors.details["kind"] == "flat"),
        "word_share": index.word_share,
        "unseen_word_share": index.unseen.share if index.unseen else index.word_share,
        **{f"recall_with_word_share_{share:g}": mean for share, mean in choice.recalls.items()},
        **{f"unseen_ndcg_with_word_share_{share:g}": mean for share, mean in choice.unseen.items()},
    }
    found = [coverage, check_recall(index.vectors, store, params.index, params.seed)]
    content = STAGE.with_checks(paths.outcome("index"), figures, found)
    manifest = Manifest(kind=KIND, inputs=inputs, params=params.index.model_dump())
    manifest.counts = {"items": len(store.item_ids)}
    manifest.details = {"model_sha": store.model_sha}
    write_index(paths.index, index, manifest)
    size = {"bytes": (paths.index / "index.faiss").stat().st_size}
    if (whole := paths.index / "whole.faiss").exists():
        size["bytes_mapped"] = whole.stat().st_size
    STAGE.write_outcome(root, size | content)
    logger.info("index: %s, %s", index.vectors.details, size | figures)


def _build(
    paths: Paths, params: "Params", store: "EmbeddingStore", items: "pd.DataFrame"
) -> "tuple[HybridIndex, ShareChoice]":
    """Return the index, and what its words' share was chosen by."""
    from smar.data import schema
    from smar.data.text import item_codes, item_texts
    from smar.index.ann import gated_items
    from smar.index.building import build_index
    from smar.index.hybrid import HybridIndex
    from smar.index.language import stemmer_of
    from smar.index.spelling import Spelling
    from smar.index.unseen import UnseenWords
    from smar.index.words import WordIndex

    texts = item_texts(items)
    chosen = params.index.stemmer
    stemmer = stemmer_of(texts) if chosen == "auto" else chosen
    vectors = gated_items(store.text, store.multimodal)
    encode = _encoder(paths.retriever)
    sample = partial(_sample, paths, params, vectors, encode)
    queries = schema.read_table(paths.queries, schema.QUERIES)
    trained = queries.loc[queries["split"] == "train", "query"].tolist()
    words = WordIndex.build(texts, item_codes(items), stemmer)
    spelling = Spelling.of(texts, trained, words) if params.index.spelling else None
    nearest = build_index(vectors, store.item_ids, params.index, sample)
    index = HybridIndex(nearest, words, 0.0, spelling=spelling)
    choice = _word_share(index, paths, params, items, encode)
    unseen = None
    if choice.unseen_share is not None and choice.unseen_share > choice.share:
        unseen = UnseenWords.of(index.words, trained, choice.unseen_share)
    index = replace(index, word_share=choice.share, unseen=unseen)
    return _with_calibration(index, paths, params, trained, encode), choice


def _encoder(path: Path) -> "Encode":
    """Return what encodes queries; the model is loaded once, with the first of them."""
    from smar.models.encode import encode_queries
    from smar.models.io import load_model

    model = cache(partial(load_model, path))
    return lambda texts: encode_queries(model(), texts)


def _sample(
    paths: Paths, params: "Params", vectors: "NDArray[np.float32]", encode: "Encode"
) -> "NDArray[np.float32]":
    """Return the vectors that an approximate index is measured with."""
    from smar.data import schema
    from smar.index.choice import draw_queries

    queries = schema.read_table(paths.queries, schema.QUERIES)
    # Settings are chosen by what is measured here, so it is not measured with judged queries.
    texts = queries.loc[queries["split"].isin(("train", "validation")), "query"].to_numpy()
    return draw_queries(texts, vectors, encode, params.index.sample_queries, params.seed)


def _word_share(
    index: "HybridIndex",
    paths: Paths,
    params: "Params",
    items: "pd.DataFrame",
    encode: "Encode",
) -> "ShareChoice":
    """Return the words' share of params.yaml, or the one that is chosen."""
    from smar.data import schema
    from smar.index.choice import ShareChoice, choose_word_share
    from smar.judging import sets
    from smar.judging.held_out import held_out_synthetic
    from smar.judging.slices import LogFacts
    from smar.judging.unseen_words import unseen_word_sets

    share = params.index.word_share
    if share != "auto":
        return ShareChoice(share, None, {}, {})
    queries = schema.read_table(paths.queries, schema.QUERIES)
    engagements = schema.read_table(paths.engagements, schema.ENGAGEMENTS)
    ids = index.item_ids
    chosen_by = sets.choice_set(queries, engagements, held_out_synthetic(paths), ids, params.seed)
    trained = LogFacts.of(queries, engagements, ids).trained
    unseen, _ = unseen_word_sets(items, trained, ids, params.seed)
    return choose_word_share(index, chosen_by, unseen, encode, params.index.recall_at, params.seed)


def _with_calibration(
    index: "HybridIndex", paths: Paths, params: "Params", trained: list[str], encode: "Encode"
) -> "HybridIndex":
    """Return the index with probabilities fitted to the trial set, or to what comes nearest."""
    from smar.index.calibrating import with_calibration
    from smar.judging.shop_sets import ShopSets

    shop = ShopSets.read(paths, index.item_ids, params.evaluate.relevant_grade, params.seed)
    fitted_to = [one for one in shop.sets if one.name != "test"]
    return with_calibration(index, fitted_to, encode, trained, params.seed)
