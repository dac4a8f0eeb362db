"""Retrieval metrics, slices, baselines and a report with pictures."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from smar.checks import Check
from smar.declaration import Stage
from smar.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from smar.evaluation.systems import SetResult
    from smar.evaluation.zero_shot import ZeroShot
    from smar.index.hybrid import HybridIndex
    from smar.index.store import EmbeddingStore
    from smar.judging.runs import Run
    from smar.models.embeddings import QueryEmbeddings
    from smar.params import Params

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
        "data/index",
        "data/features",
        "models/start",
        "models/retriever",
    ],
    writes=[
        "reports/evaluation",
        "reports/outcomes/evaluate.json",
        "metrics/evaluate.json",
    ],
    params=["seed", "threads", "gate.visual_categories", "evaluate"],
    compared=["headline"],
    checks={
        "not_worse_than_the_release": Check(
            text="The primary metric is not clearly below the current release's; the rules of "
            "promote decide.",
            blocking=False,
        )
    },
)


def run(root: Path) -> None:
    """Measure the search as served, its parts and BM25 on every query set there is."""
    from smar.artifacts import Manifest, write_directory
    from smar.data import schema
    from smar.data.images import ImageStore
    from smar.evaluation.examples import Catalogue
    from smar.evaluation.headline import headline
    from smar.evaluation.regression import check_regression, read_before
    from smar.evaluation.report import Against, summary_text, write_results
    from smar.evaluation.zero_shot import read_zero_shot
    from smar.index.ann import set_faiss_threads
    from smar.judging.metrics import check_metric
    from smar.params import load_params

    params = load_params(Paths(root).params)
    paths = Paths(root)
    settings = params.evaluate.model_dump()
    logger.info("evaluate: %s", settings)
    check_metric(params.evaluate.primary, params.evaluate.cutoffs)
    inputs = STAGE.digests(root)
    set_faiss_threads(params.threads)
    items = schema.read_table(paths.items, schema.ITEMS)
    images = ImageStore.of(paths)
    start, told = read_zero_shot(paths, items, images, params.threads)
    results, weak = _measure_all(paths, params, items, start, inputs)
    manifest = Manifest(kind="evaluation", inputs=inputs, params=settings)
    manifest.counts = {f"queries_{result.queries.name}": len(result.queries) for result in results}
    catalogue = Catalogue(items, images)
    figures = {result.queries.name: result.summary() for result in results}
    released = paths.releases / "current" / "metrics" / "evaluate.json"
    before = read_before(released, figures, params.evaluate.primary)
    with write_directory(paths.evaluation_report, manifest) as folder:
        line = f"zero-shot: {told}." if start else f"There is no zero-shot row: {told}."
        against = Against(_release(paths), before or [], line)
        write_results(folder, results, catalogue, params.evaluate, params.seed, against, weak)
    regression = check_regression(before, params.evaluate.primary)
    content = STAGE.with_checks(paths.outcome("evaluate"), figures, [regression])
    STAGE.write_outcome(root, content | {"headline": headline(results, params.evaluate.primary)})
    logger.info("evaluate:\n%s", summary_text(results, params.evaluate))


def _release(paths: Paths) -> str:
    """Return which release the figures stand beside, "" for none."""
    from smar.service import registry
    from smar.service.origin import told

    version = registry.current_version(paths.root)
    return f"{version}, {told(registry.read_release(paths.root, version))}" if version else ""


def _measure_all(
    paths: Paths,
    params: "Params",
    items: "pd.DataFrame",
    start: "ZeroShot | None",
    inputs: "Mapping[str, str]",
) -> "tuple[list[SetResult], pd.DataFrame]":
    """Return what was measured on every set that has a query, and what is answered weakly."""
    from dataclasses import replace
    from functools import partial
    from itertools import chain, islice

    from smar.data import schema
    from smar.evaluation.relevance import relevance_of, weak_queries
    from smar.evaluation.systems import HYBRID, blocks, joined, measure
    from smar.evaluation.weights import weights_of
    from smar.evaluation.zero_shot import NAME
    from smar.index.hybrid import HybridIndex
    from smar.index.store import EmbeddingStore
    from smar.judging.shop_sets import ShopSets
    from smar.judging.unseen_words import unseen_word_sets
    from smar.models.device import place_model
    from smar.models.encode import encode_queries
    from smar.models.io import load_model
    from smar.shards.mapping import map_shards

    store, index = EmbeddingStore.load(paths.embeddings), HybridIndex.load(paths.index)
    model = place_model(load_model(paths.retriever), params.threads)
    settings = params.evaluate
    threads, depth = params.cluster.threads(params.threads), max(settings.cutoffs)
    prepare = partial(searching, paths.root, depth, threads, inputs)
    here = partial(_search, store, index, depth)
    shop = ShopSets.read(paths, store.item_ids, settings.relevant_grade, params.seed)
    unseen = unseen_word_sets(items, shop.log.trained, store.item_ids, params.seed)[1]
    asked = []
    for queries in (*shop.sets, unseen):
        if len(queries):
            read = [index.sought(text).text for text in index.read(queries.texts)]
            asked.append((queries, encode_queries(model, read)))
        else:
            logger.info("evaluate: no %s query with a relevant item", queries.name)
    of_sets = [[*blocks(queries.texts, encoded)] for queries, encoded in asked]
    shards = chain.from_iterable(of_sets)
    parts = iter([*map_shards(prepare, shards, params.cluster, threads=threads, here=here)])
    results = []
    for (queries, encoded), own in zip(asked, of_sets, strict=True):
        runs = joined([*islice(parts, len(own))])
        if start is not None:
            runs[NAME] = start.run(queries.texts, depth)
        slices = shop.slices(queries, items["category"], params.gate.visual_categories)
        found = measure(queries, encoded.gate, runs, slices, settings, params.seed)
        relevance = relevance_of(index, queries, runs[HYBRID])
        weights = weights_of(index, model, queries, encoded.gate)
        results.append(replace(found, relevance=relevance, weights=weights))
    logged = schema.read_table(paths.queries, schema.QUERIES)
    return results, weak_queries(index, model, logged, items["title"])


def searching(
    root: Path, depth: int, threads: int, inputs: "Mapping[str, str]"
) -> "Callable[[tuple[Sequence[str], QueryEmbeddings]], dict[str, Run]]":
    """Return what searches a block of queries, with the embeddings and the index in memory.

    Args:
        root: The project.
        depth: Results of a query.
        threads: CPU threads; 0 = as many as the process may use.
        inputs: Digests of what the stage reads.

    Raises:
        ArtifactError: If the project here holds something else.
    """
    from functools import partial

    from smar.index.ann import set_faiss_threads
    from smar.index.hybrid import HybridIndex
    from smar.index.store import EmbeddingStore

    STAGE.expect(root, inputs)
    set_faiss_threads(threads)
    paths = Paths(root)
    store, index = EmbeddingStore.load(paths.embeddings), HybridIndex.load(paths.index)
    return partial(_search, store, index, depth)


def _search(
    store: "EmbeddingStore",
    index: "HybridIndex",
    depth: int,
    block: "tuple[Sequence[str], QueryEmbeddings]",
) -> "dict[str, Run]":
    from smar.evaluation.systems import run_systems

    return run_systems(*block, store, index, depth)
