"""Contracts over the tables; bad rows are left out, bad tables stop what follows."""

import json
import logging
import os
import shutil
from hashlib import sha256
from pathlib import Path

from smar.params import load_params
from smar.paths import Paths

logger = logging.getLogger(__name__)


def run(root: Path) -> None:
    """Check every table against its contract and write the rows that what follows may see.

    The report is written in either case; tables and profile only if no rule stops the stage.

    Reads:
        data/items.parquet, data/queries.parquet, data/searches.parquet, data/engagements.parquet,
        data/judgements.parquet, data/images/, data/quarantine/
    Writes:
        data/accepted/items.parquet, data/accepted/queries.parquet, data/accepted/searches.parquet,
        data/accepted/engagements.parquet, data/accepted/judgements.parquet, reports/validation/,
        metrics/validate.json
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "False"  # read when Great Expectations is imported
    from smar.artifacts import (
        Manifest,
        digests,
        read_manifest,
        write_directory,
        write_file,
        write_json,
    )
    from smar.data import schema
    from smar.data.images import ImageStore
    from smar.errors import DataError, list_problems
    from smar.validation.pictures import read_picture_facts
    from smar.validation.previous import read_profile, source_key, write_profile
    from smar.validation.report import counts_of, write_report
    from smar.validation.shop import validate_shop

    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    params = load_params(Paths(root).params)
    paths = Paths(root)
    rules = params.validate_
    settings = rules.model_dump()
    logger.info("validate: %s", settings)
    sources = {name: paths.ingested(name) for name in schema.TABLES}
    inputs = digests(root, *sources.values(), paths.images, paths.quarantine)
    ingested = read_manifest(paths.quarantine, "quarantine")
    profile_path = paths.profile(source_key(ingested.params))
    data = sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
    before = read_profile(profile_path, data)
    facts = read_picture_facts(
        ImageStore.open(paths.images),
        rules.items.min_picture_contrast,
        rules.items.max_picture_difference,
    )
    tables = {name: schema.read_arrow(path) for name, path in sources.items()}
    outcome = validate_shop(tables, facts, rules, before)
    counts = counts_of(outcome, tables)
    manifest = Manifest(kind="validation", inputs=inputs, params=settings, counts=counts)
    with write_directory(paths.validation_report, manifest) as folder:
        write_report(folder, outcome, tables, ingested.counts, is_compared=before is not None)
    write_json(paths.metrics("validate"), counts)
    for result in outcome.warnings:
        logger.warning("validate: %s", result.problem())
    if outcome.stops:
        headline = (
            f"{len(outcome.stops)} of {len(outcome.results)} rules stop the work; nothing was "
            f"accepted. See {paths.validation_report / 'index.html'}. Mend the source, or change "
            "bounds or severity in the validate section of params.yaml; if data differs from what "
            f"was accepted before and is meant to, remove {profile_path}:"
        )
        raise DataError(list_problems(headline, [r.problem() for r in outcome.stops]))
    for name, table in outcome.accepted.items():
        if table is tables[name]:  # every row was accepted
            with write_file(getattr(paths, name)) as temporary:
                shutil.copyfile(sources[name], temporary)
        else:
            schema.write_arrow(getattr(paths, name), table)
    if outcome.profile is not None:
        write_profile(profile_path, outcome.profile, data)
    logger.info("validate: %s", counts)
