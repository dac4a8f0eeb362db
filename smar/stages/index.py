"""The index over item embeddings and item words, measured against exact search."""

import logging
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from smar.checks import Check
from smar.declaration import Stage
from smar.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from smar.index.bests import ExactSearch
    from smar.index.hybrid import HybridIndex
    from smar.index.item_rows import ItemRows
    from smar.index.kept import Kept
    from smar.index.kept_parts import Fit, Read
    from smar.index.kept_shards import KeptShards
    from smar.index.row_file import RowFile
    from smar.index.shop_words import Shop
    from smar.index.store import EmbeddingStore
    from smar.index.updating import Files
    from smar.params import IndexParams, Params

logger = logging.getLogger(__name__)

STAGE = Stage(
    summary=str(__doc__),
    reads=[
        "data/accepted/items.parquet",
        "data/accepted/queries.parquet",
        "data/accepted/engagements.parquet",
        "data/accepted/judgements.parquet",
        "data/images",
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
    What an earlier run made of items that are as they were is taken from `.smar/index`.
    """
    from smar.data import schema
    from smar.index.ann import set_faiss_threads
    from smar.index.coverage import check_coverage, check_recall
    from smar.index.kept import keep
    from smar.index.kept_shards import keys_of_shards
    from smar.index.store import EmbeddingStore
    from smar.params import load_params
    from smar.verified import Verified

    params = load_params(Paths(root).params)
    paths = Paths(root)
    inputs = STAGE.digests(root)
    logger.info("index: %s", params.index.model_dump())
    set_faiss_threads(params.threads)
    store = EmbeddingStore.load(paths.embeddings, Verified(paths.work / "verified"))
    items = schema.read_columns(paths.items, schema.ITEMS)
    ids = items["item_id"].to_pylist()
    coverage = check_coverage("every_item_is_indexed", ids, store.item_ids)
    if not coverage.passed:  # words and vectors would be of different items
        STAGE.with_checks(paths.outcome("index"), {}, [coverage])
    how = _how(paths, params, inputs)
    made = _build(paths, params, store, items, how, inputs)
    vectors = made.index.vectors
    recall = check_recall(vectors, made.rows, params.index, params.seed, made.exact)
    figures = _figures(made)
    content = STAGE.with_checks(paths.outcome("index"), figures, [coverage, recall])
    names = keys_of_shards(vectors, made.fit.keys, how)
    size = _write(paths, params, store.model_sha, made, names, inputs)
    STAGE.write_outcome(root, size | content)
    fit = replace(made.fit, bests=made.exact.bests)
    keep(paths.work / "index", how, inputs, made.read, fit, paths.index, names, paths.items)
    logger.info("index: %s, %s", vectors.details, size | figures)


def _figures(made: "_Made") -> "dict[str, float]":
    """Return what is told of an index beside its size and its checks."""
    index, fit = made.index, made.fit
    return {
        "items": len(index.item_ids),
        "recall": index.vectors.details["recall"],
        "exact": int(index.vectors.details["kind"] == "flat"),
        "changed_since_fit": made.changed,
        "word_share": index.word_share,
        "click_words": fit.click_words,
        "exclusive_words": fit.exclusive_words,
        "unseen_word_share": index.unseen.share if index.unseen else index.word_share,
        **fit.figures,
    }


def _write(
    paths: Paths,
    params: "Params",
    model_sha: str,
    made: "_Made",
    names: "Mapping[str, str]",
    inputs: "Mapping[str, str]",
) -> dict[str, int]:
    """Write the index, and return the bytes of its files.

    Args:
        paths: The project.
        params: Its parameters.
        model_sha: Digest of the model.
        made: What is written.
        names: What files that may be kept are known by, by name.
        inputs: Digests of what it is made of, by their names.
    """
    from smar.artifacts import Manifest
    from smar.index.ann import KIND
    from smar.index.hybrid import write_index
    from smar.index.shard_files import INDEX, WHOLE

    index = replace(made.index, negation=params.index.negation)
    manifest = Manifest(kind=KIND, inputs=dict(inputs), params=_told(params.index))
    manifest.counts = {"items": len(index.item_ids)}
    manifest.details = {"model_sha": model_sha, "changed_since_fit": made.changed}
    write_index(paths.index, index, manifest, lambda file: made.take(names, file))
    size = {"bytes": _bytes_of(paths.index, INDEX)}
    mapped = _bytes_of(paths.index, WHOLE)
    return size | ({"bytes_mapped": mapped} if mapped else {})


def _told(params: "IndexParams") -> "dict[str, Any]":
    """Return the parameters of an index; one shard is none, as in an index of before."""
    return params.model_dump(exclude={"shards"} if params.shards == 1 else None)


def _bytes_of(folder: Path, name: str) -> int:
    """Return the bytes of the files of all shards."""
    return sum(file.stat().st_size for file in folder.glob(f"{name}*.faiss"))


@dataclass(frozen=True)
class _Made:
    """An index, what the next run may take, the share of the data that changed, what is kept.

    Args:
        index: The index.
        fit: What was fitted, now or before.
        read: What was read.
        changed: Share of the data that is other than what was fitted to.
        kept: Files of an earlier run.
        exact: Exact search in the items.
        rows: The item rows, [N, 2 D].
        file: That of the only shard, if it is written.
    """

    index: "HybridIndex"
    fit: "Fit"
    read: "Read"
    changed: float
    kept: "KeptShards"
    exact: "ExactSearch"
    rows: "NDArray[np.float32] | ItemRows"
    file: "RowFile | None" = None

    def take(self, names: "Mapping[str, str]", target: Path) -> "dict[str, Any] | None":
        """Put a file of the index in its place if there is one, and return its size and SHA-256.

        Args:
            names: What files that may be kept are known by, by name.
            target: Where it belongs.
        """
        taken = self.kept.take(names.get(target.name, ""), target)
        if taken or self.file is None:
            return taken
        is_set_so = self.file.settings == self.index.vectors.details["settings"]
        return self.file.put(target) if is_set_so else None


def _how(paths: Paths, params: "Params", inputs: "Mapping[str, str]") -> str:
    """Return what stands for the way in which an index is fitted."""
    from smar.artifacts import read_manifest
    from smar.index.kept import how_fitted

    settings = {"index": _told(params.index), "seed": params.seed, "threads": params.threads}
    settings["relevant_grade"] = params.evaluate.relevant_grade
    model = inputs["models/retriever"]
    return how_fitted([settings, model, read_manifest(paths.synthetic, "synthetic").params])


def _build(
    paths: Paths,
    params: "Params",
    store: "EmbeddingStore",
    items: "pa.Table",
    how: str,
    inputs: "Mapping[str, str]",
) -> _Made:
    """Return the index as it was fitted before where little changed, else as it is fitted now."""
    from smar.index.ann import gated_items
    from smar.index.basis import basis_of, share_changed
    from smar.index.bests import ExactSearch
    from smar.index.item_rows import ItemRows
    from smar.index.kept import Kept
    from smar.index.layout import Layout
    from smar.index.shop_words import Shop, stemmer_for, words_of
    from smar.index.updating import Files, as_fitted, is_in_parts, updated_index
    from smar.kept_memory import kept_memory

    with kept_memory():  # arrays of some hundred megabytes come and go
        layout = Layout.of(store.item_ids, params.index.shards, params.cluster, params.threads)
        kept = Kept.open(paths.work / "index", how)
        shop = Shop(paths, params, store, items, kept.unchanged(inputs), kept)
        apart = ItemRows(store.text, store.multimodal)
        files = Files(kept.shards, how, paths.work)
        keys = _keys(apart, kept, files, shop)
        basis, hashes = basis_of(shop.table, keys, kept.read.rows, shop.tables_unchanged)
        fit, found, changed = _kept_fit(paths, kept), None, 0.0
        whole = cache(lambda: gated_items(store.text, store.multimodal, paths.work))
        is_apart = fit is not None and is_in_parts(apart, params.index, layout)
        rows = apart if is_apart else whole()
        exact = ExactSearch(rows, keys, *((fit.bests, fit.keys) if fit else ()))
        if fit is not None:
            changed = round(share_changed(fit.basis, basis), 4)
            if changed < params.index.refit_frac:
                found = updated_index(
                    rows, store.item_ids, keys, params.index, fit, layout, exact, files
                )
        stemmer = fit.stemmer if fit and found else stemmer_for(params.index.stemmer, shop)
        of_words = words_of(shop, stemmer, kept.read_with(stemmer))
        read = replace(of_words.read, rows=hashes)
        if fit is not None and found is not None:
            logger.info("index: %.2f %% of the data changed since it was fitted", 100 * changed)
            fit = replace(fit, details=found.index.details, lists=found.index.lists, keys=keys)
            words = of_words.clicked(fit.click_words)
            exclusive = of_words.exclusive(fit.exclusive_words)
            trained = [] if fit.unseen_share is None else shop.trained
            made = as_fitted(fit, found.index, words, exclusive, of_words.spelling, trained)
            return _Made(made, fit, read, changed, kept.shards, exact, rows, found.file)
        frame, trained = shop.frame, shop.trained
        del shop  # what fitting holds besides comes near the memory there may be
    from smar.index.fitting import Fitting  # and what encodes queries, which takes seconds

    fitting = Fitting(paths, params, frame, whole(), trained, layout, exact)
    index, fit = fitting.fitted(of_words.clicked, of_words.exclusive, of_words.spelling)
    fit = replace(fit, basis=basis, keys=keys)
    return _Made(index, fit, read, 0.0, kept.shards, exact, rows)


def _keys(rows: "ItemRows", kept: "Kept", files: "Files", shop: "Shop") -> "NDArray[np.uint64]":
    """Return what item rows are known by, as it was kept for the fit of these very rows."""
    from smar.index.item_rows import keys_of_items

    fit = kept.fit
    if fit is None or not len(fit.keys):
        return keys_of_items(rows)
    if "data/embeddings" in shop.unchanged:
        return fit.keys
    places = shop.places
    return keys_of_items(rows, None if places is None else files.earlier(fit, places))


def _kept_fit(paths: Paths, kept: "Kept") -> "Fit | None":
    """Return what an earlier run fitted, if towers encode queries as they did then."""
    if kept.fit is None or kept.by_same_towers:
        return kept.fit
    from smar.index.fitting import encoder_of

    if kept.fit.asked.is_answered_alike(encoder_of(paths)):
        return kept.fit
    logger.info("index: towers encode queries otherwise than before: all is fitted anew")
    return None
