"""Retrieval metrics, slices, baselines and a report with pictures."""

import logging
from pathlib import Path

from smar.params import load_params
from smar.paths import Paths

logger = logging.getLogger(__name__)


def run(root: Path) -> None:
    """Measure the gated system, its parts and BM25 on every query set there is.

    Reads:
        data/accepted/items.parquet, data/accepted/queries.parquet,
        data/accepted/engagements.parquet, data/accepted/judgements.parquet, data/images/,
        data/synthetic/, data/embeddings/, data/index/, models/retriever/
    Writes:
        reports/evaluation/, metrics/evaluate.json
    """
    from smar.artifacts import Manifest, digests, write_directory, write_json
    from smar.data import schema
    from smar.data.images import ImageStore
    from smar.evaluation.report import Catalogue, summary_text, write_results
    from smar.evaluation.systems import measure, run_systems
    from smar.index.ann import set_faiss_threads
    from smar.index.hybrid import HybridIndex
    from smar.index.store import EmbeddingStore
    from smar.judging import sets
    from smar.judging.metrics import check_metric
    from smar.judging.slices import slices_of
    from smar.models.device import place_model
    from smar.models.encode import encode_queries
    from smar.models.io import load_model

    params = load_params(Paths(root).params)
    paths = Paths(root)
    settings = params.evaluate.model_dump()
    logger.info("evaluate: %s", settings)
    check_metric(params.evaluate.primary, params.evaluate.cutoffs)
    inputs = digests(
        root,
        paths.items,
        paths.queries,
        paths.engagements,
        paths.judgements,
        paths.images,
        paths.synthetic,
        paths.embeddings,
        paths.index,
        paths.retriever,
    )
    set_faiss_threads(params.threads)
    items = schema.read_table(paths.items, schema.ITEMS)
    queries = schema.read_table(paths.queries, schema.QUERIES)
    engagements = schema.read_table(paths.engagements, schema.ENGAGEMENTS)
    judgements = schema.read_table(paths.judgements, schema.JUDGEMENTS)
    synthetic = schema.read_table(paths.synthetic / "queries.parquet", schema.SYNTHETIC)
    store, index = EmbeddingStore.load(paths.embeddings), HybridIndex.load(paths.index)
    model = place_model(load_model(paths.retriever), params.threads)
    item_ids = store.item_ids
    traffic = queries[queries["split"] != "test"]["num_searches"]
    trained = set(queries[queries["split"] == "train"]["query"])
    results = []
    for query_set in (
        sets.test_set(queries, judgements, item_ids, params.evaluate.relevant_grade),
        sets.validation_set(queries, engagements, item_ids),
        sets.synthetic_set(synthetic, item_ids, params.seed),
    ):
        if not len(query_set):
            logger.info("evaluate: no %s query with a relevant item", query_set.name)
            continue
        encoded = encode_queries(model, query_set.texts)
        runs = run_systems(query_set, encoded, store, index, max(params.evaluate.cutoffs))
        slices = slices_of(
            query_set, items["category"], params.gate.visual_categories, traffic, trained
        )
        results.append(measure(query_set, encoded.gate, runs, slices, params.evaluate, params.seed))
    summary = summary_text(results, params.evaluate)
    manifest = Manifest(kind="evaluation", inputs=inputs, params=settings)
    manifest.counts = {f"queries_{result.queries.name}": len(result.queries) for result in results}
    catalogue = Catalogue(items, ImageStore.open(paths.images))
    with write_directory(paths.evaluation_report, manifest) as folder:
        write_results(folder, results, catalogue, params.evaluate, params.seed)
    write_json(
        paths.metrics("evaluate"), {result.queries.name: result.summary() for result in results}
    )
    logger.info("evaluate:\n%s", summary)
