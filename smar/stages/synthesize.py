"""Synthetic queries from item texts."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from smar.checks import Check
from smar.declaration import Stage
from smar.paths import Paths

if TYPE_CHECKING:
    from smar.synthetic.synthesize import Synthesis

logger = logging.getLogger(__name__)

_ITEMS = 2048  # whose queries memory holds at once

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
    from functools import partial

    from smar.artifacts import Manifest, write_directory
    from smar.data import schema
    from smar.params import load_params
    from smar.synthetic.drawn import WRITTEN, number_of
    from smar.synthetic.kept import Earlier, keeping
    from smar.synthetic.leakage import Numbered, check_leakage
    from smar.synthetic.synthesize import COLUMNS, Synthesis

    params = load_params(Paths(root).params)
    paths = Paths(root)
    settings = params.synthesize.model_dump() | {"seed": params.seed}
    logger.info("synthesize: %s", settings)
    queries = schema.read_table(paths.queries, schema.QUERIES)
    made = Synthesis(queries, schema.num_rows(paths.items), params.synthesize, params.seed)
    manifest = Manifest(kind="synthetic", inputs=STAGE.digests(root), params=settings)
    kept, held_out = paths.work / "synthetic", made.held_out
    earlier = Earlier.open(kept, made.how, held_out)
    with (
        write_directory(paths.synthetic, manifest) as folder,
        keeping(kept, made.how, held_out) as keeper,
    ):
        file = folder / "queries.parquet"
        items = schema.read_batches(paths.items, schema.ITEMS, COLUMNS, rows=_ITEMS)
        batches = made.batches(items, earlier, keeper, params.cluster)
        schema.write_batches(file, WRITTEN, batches)
        manifest.counts = _counts(made, int((queries["split"] == "train").sum()))
        manifest.dropped = made.dropped
        columns = partial(schema.read_batches, file, schema.SYNTHETIC, ("query", "split"))
        numbered = Numbered(held_out, keeper.bags, partial(number_of, seed=params.seed))
        leakage = check_leakage(queries, columns, numbered)
        figures = STAGE.with_checks(paths.outcome("synthesize"), manifest.counts, [leakage])
    STAGE.write_outcome(root, figures)
    logger.info("synthesize: %s, left out %s", manifest.counts, made.dropped)


def _counts(made: "Synthesis", num_real: int) -> dict[str, float]:
    num_made = made.splits.total()
    return {
        "queries": num_made,
        "real_queries": num_real,
        "per_real_query": num_made / max(1, num_real),
        "validation": made.splits["validation"],
        **{f"kind_{kind}": number for kind, number in made.kinds.most_common()},
    }
