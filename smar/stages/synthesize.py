"""Synthetic queries from item texts."""

import logging
from pathlib import Path

from smar.checks import Check
from smar.declaration import Stage
from smar.paths import Paths

logger = logging.getLogger(__name__)

STAGE = Stage(
    summary=str(__doc__),
    reads=[
        "data/accepted/items.parquet",
        "data/accepted/queries.parquet",
    ],
    writes=[
        "data/synthetic",
        "reports/outcomes/synthesize.json",
        "metrics/synthesize.json",
    ],
    params=["seed", "synthesize"],
    compared=["queries"],
    checks={
        "splits_do_not_leak": Check(
            text="Nothing that is held out is trained on, in its own words or others of its stems."
        )
    },
)


def run(root: Path) -> None:
    """Write synthetic (query, item) pairs, never with the text of a test or validation query."""
    from smar.artifacts import Manifest, write_directory
    from smar.data import schema
    from smar.params import load_params
    from smar.synthetic.leakage import check_leakage
    from smar.synthetic.synthesize import synthesize

    params = load_params(Paths(root).params)
    paths = Paths(root)
    settings = params.synthesize.model_dump() | {"seed": params.seed}
    logger.info("synthesize: %s", settings)
    items = schema.read_table(paths.items, schema.ITEMS)
    queries = schema.read_table(paths.queries, schema.QUERIES)
    made = synthesize(items, queries, params.synthesize, params.seed)
    num_real = int((queries["split"] == "train").sum())
    counts = {
        "queries": len(made.queries),
        "real_queries": num_real,
        "per_real_query": len(made.queries) / max(1, num_real),
        "validation": int((made.queries["split"] == "validation").sum()),
        **{f"kind_{k}": int(n) for k, n in made.queries["kind"].value_counts().items()},
    }
    manifest = Manifest(
        kind="synthetic",
        inputs=STAGE.digests(root),
        params=settings,
        counts=counts,
        dropped=made.dropped,
    )
    leakage = check_leakage(queries, made.queries)
    figures = STAGE.with_checks(paths.outcome("synthesize"), counts, [leakage])
    with write_directory(paths.synthetic, manifest) as folder:
        schema.write_table(folder / "queries.parquet", made.queries, schema.SYNTHETIC)
    STAGE.write_outcome(root, figures)
    logger.info("synthesize: %s, left out %s", counts, made.dropped)
