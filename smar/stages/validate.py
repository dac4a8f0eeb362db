"""Contracts over the tables; bad rows are left out, bad tables stop what follows."""

import json
import logging
import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from smar.declaration import Stage
from smar.paths import Paths

if TYPE_CHECKING:
    import pyarrow as pa

    from smar.data.images import ImageStore
    from smar.data.schema import StoredTable
    from smar.params import ValidateParams
    from smar.validation.kept_verdicts import KeptVerdicts
    from smar.validation.pictures import PictureFacts
    from smar.validation.shop import Outcome

logger = logging.getLogger(__name__)

STAGE = Stage(
    summary=str(__doc__),
    reads=[
        "data/items.parquet",
        "data/queries.parquet",
        "data/searches.parquet",
        "data/engagements.parquet",
        "data/judgements.parquet",
        "data/images",
        "data/quarantine",
    ],
    writes=[
        "data/accepted/items.parquet",
        "data/accepted/queries.parquet",
        "data/accepted/searches.parquet",
        "data/accepted/engagements.parquet",
        "data/accepted/judgements.parquet",
        "reports/validation",
        "reports/outcomes/validate.json",
        "metrics/validate.json",
    ],
    params=["validate"],
    compared=["warnings", "quarantined"],
)


def run(root: Path) -> None:
    """Check every table against its contract and write the rows that what follows may see.

    The report is written in either case; tables and profile only if no rule stops the stage.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "False"  # read when Great Expectations is imported
    from smar.artifacts import Manifest, read_manifest, write_directory
    from smar.data import schema
    from smar.later import imported_later, left_aside, light_fields, without_collection
    from smar.params import load_params

    with (
        # For expectations that no contract has, and sources that are no tables in memory.
        imported_later("altair", "scipy.stats", "jsonschema"),
        left_aside("sqlalchemy", "psycopg2", "boto3", "botocore", "docstring_parser"),
        light_fields(),
        imported_later("bm25s", in_parts=True),  # of which stop words are read
        without_collection(),
    ):
        from smar.data.images import ImageStore
        from smar.validation.kept_facts import KeptFacts
        from smar.validation.kept_verdicts import KeptVerdicts
        from smar.validation.previous import read_profile, source_key, write_profile
        from smar.validation.report import counts_of, write_report
        from smar.validation.shop import validate_shop

    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    params = load_params(Paths(root).params)
    paths = Paths(root)
    settings = params.validate_.model_dump()
    logger.info("validate: %s", settings)
    inputs = STAGE.digests(root)
    ingested = read_manifest(paths.quarantine, "quarantine")
    profile = paths.profile(source_key(ingested.params))
    data = sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
    before = read_profile(profile, data)
    store = ImageStore.of(paths, columns=())  # where pictures lie is all that is asked
    files = {name: inputs[f"data/{name}.parquet"] for name in schema.TABLES}
    work = paths.work / "validation"
    verdicts = KeptVerdicts(work / "verdicts", inputs, settings)
    tables = {name: _table(paths, name, verdicts) for name in schema.TABLES}
    outcome = validate_shop(
        tables,
        lambda: _picture_facts(store, params.validate_, work / "pictures"),
        params.validate_,
        before,
        KeptFacts(work / "facts", files),
        verdicts,
    )
    counts = counts_of(outcome, tables)
    manifest = Manifest(kind="validation", inputs=inputs, params=settings, counts=counts)
    with write_directory(paths.validation_report, manifest) as folder:
        write_report(folder, outcome, tables, ingested.counts, is_compared=before is not None)
    verdicts.keep(outcome.checker.verdicts)
    STAGE.write_outcome(root, counts)
    for result in outcome.warnings:
        logger.warning("validate: %s", result.problem())
    _stop_if_bad(outcome, paths, profile)
    _write_accepted(outcome, tables, paths)
    if outcome.profile is not None:
        write_profile(profile, outcome.profile, data)
    logger.info("validate: %s", counts)


def _table(paths: Paths, name: str, verdicts: "KeptVerdicts") -> "pa.Table | StoredTable":
    """Return an ingested table; of a file that was read whole before, what is asked for."""
    from smar.data import schema

    read = schema.StoredTable if verdicts.is_known(name) else schema.read_arrow
    return read(paths.ingested(name))


def _picture_facts(store: "ImageStore", rules: "ValidateParams", kept: Path) -> "PictureFacts":
    from smar.validation.pictures import read_picture_facts

    least, most = rules.items.min_picture_contrast, rules.items.max_picture_difference
    return read_picture_facts(store, least, most, kept)


def _stop_if_bad(outcome: "Outcome", paths: Paths, profile: Path) -> None:
    """Raise with every rule that stops the work, if there is one."""
    from smar.errors import DataError, list_problems

    if outcome.stops:
        headline = (
            f"{len(outcome.stops)} of {len(outcome.results)} rules stop the work; nothing was "
            f"accepted. See {paths.validation_report / 'index.html'}. Mend the source, or change "
            "bounds or severity in the validate section of params.yaml; if data differs from what "
            f"was accepted before and is meant to, remove {profile}:"
        )
        raise DataError(list_problems(headline, [r.problem() for r in outcome.stops]))


def _write_accepted(outcome: "Outcome", tables: "dict[str, pa.Table]", paths: Paths) -> None:
    """Write the accepted rows; a table of which all were is the ingested file, byte for byte."""
    from smar.data import schema
    from smar.replace import link_or_copy, write_file

    for name, table in outcome.accepted.items():
        if table is tables[name]:
            with write_file(getattr(paths, name)) as temporary:
                link_or_copy(paths.ingested(name), temporary)
        else:
            schema.write_arrow(getattr(paths, name), table)
