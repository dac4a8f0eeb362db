"""Expectations over the tables; a failure stops what follows."""

import logging
import os
from pathlib import Path

from smar.params import load_params
from smar.paths import Paths

logger = logging.getLogger(__name__)


def run(root: Path) -> None:
    """Check every table against its contract; the report is written in either case.

    Reads:
        data/items.parquet, data/queries.parquet, data/searches.parquet, data/engagements.parquet,
        data/judgements.parquet
    Writes:
        reports/validation/, metrics/validate.json
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "False"  # read when Great Expectations is imported
    from smar.artifacts import Manifest, digests, write_directory, write_json
    from smar.data import schema
    from smar.data.expectations import check_tables
    from smar.data.validation_page import write_validation_page
    from smar.errors import DataError, list_problems

    params = load_params(Paths(root).params)
    paths = Paths(root)
    settings = params.validate_.model_dump()
    logger.info("validate: %s", settings)
    tables = {
        "items": schema.read_table(paths.items, schema.ITEMS),
        "queries": schema.read_table(paths.queries, schema.QUERIES),
        "searches": schema.read_table(paths.searches, schema.SEARCHES),
        "engagements": schema.read_table(paths.engagements, schema.ENGAGEMENTS),
        "judgements": schema.read_table(paths.judgements, schema.JUDGEMENTS),
    }
    results = check_tables(tables, params.validate_)
    failed = [result for result in results if not result.success]
    counts = {"expectations": len(results), "failed": len(failed)}
    manifest = Manifest(
        kind="validation",
        inputs=digests(
            root, paths.items, paths.queries, paths.searches, paths.engagements, paths.judgements
        ),
        params=settings,
        counts=counts,
    )
    with write_directory(paths.validation_report, manifest) as folder:
        sizes = {name: len(table) for name, table in tables.items()}
        write_validation_page(folder / "index.html", results, sizes)
        write_json(folder / "results.json", {"results": [vars(result) for result in results]})
    write_json(paths.metrics("validate"), counts)
    if failed:
        headline = (
            f"{len(failed)} of {len(results)} expectations failed; see "
            f"{paths.validation_report / 'index.html'}. Mend the source, or change the bounds in "
            "the validate section of params.yaml:"
        )
        raise DataError(list_problems(headline, [result.problem() for result in failed]))
    logger.info("validate: all %d expectations hold", len(results))
