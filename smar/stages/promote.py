"""Candidate against current release: a new release, or the reasons against it."""

import logging
from pathlib import Path

from smar.declaration import Stage
from smar.paths import Paths

logger = logging.getLogger(__name__)

STAGE = Stage(
    summary=str(__doc__),
    reads=[
        "data/accepted/items.parquet",
        "data/accepted/queries.parquet",
        "data/accepted/searches.parquet",
        "data/accepted/engagements.parquet",
        "data/accepted/judgements.parquet",
        "data/images",
        "data/synthetic",
        "data/embeddings",
        "data/index",
        "models/retriever",
        "reports/validation",
        "reports/outcomes/ingest.json",
        "reports/outcomes/evaluate.json",
    ],
    writes=[
        "models/release",
        "reports/promote",
        "reports/outcomes/promote.json",
        "metrics/promote.json",
    ],
    params=["seed", "threads", "gate.visual_categories", "evaluate", "promote"],
    compared=["release", "rules_failed"],
)


def run(root: Path) -> None:
    """Judge what the pipeline made, release it if every rule holds, and say why either way.

    A release goes to releases/, which no stage owns: what serves shoppers must not disappear when
    a pipeline is run again. models/release is a copy of the current release for DVC to keep. In
    an experiment the candidate is judged and not released.
    """
    from smar.experiment import is_experiment
    from smar.params import load_params
    from smar.release.promotion import promote
    from smar.release.trial import Project

    params = load_params(Paths(root).params)
    logger.info("promote: %s", params.promote.model_dump())
    project = Project(
        paths=Paths(root),
        promote=params.promote,
        evaluate=params.evaluate,
        visual_categories=params.gate.visual_categories,
        seed=params.seed,
        threads=params.threads,
        is_experiment=is_experiment(),
    )
    STAGE.write_outcome(root, promote(project))
