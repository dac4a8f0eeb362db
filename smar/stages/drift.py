"""The newest data against the current release's: keep, refresh or retrain."""

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
        "data/images",
        "models/release",
    ],
    writes=[
        "reports/drift",
        "reports/outcomes/drift.json",
        "metrics/drift.json",
    ],
    params=["seed", "threads", "evaluate", "drift"],
    compared=["alarms"],
)


def run(root: Path) -> None:
    """Compare today's items, searches, embeddings and quality with the release's reference.

    Embeddings are those of the release's model on both sides, so that a new model in the working
    tree changes nothing here. An experiment before the first release has nothing to compare with,
    and says so.
    """
    from smar.artifacts import Manifest, write_directory
    from smar.errors import ReleaseError
    from smar.experiment import is_experiment
    from smar.models.device import place_model
    from smar.monitoring.drift import compare_snapshots
    from smar.monitoring.page import write_drift_page
    from smar.monitoring.signals import stale_signal
    from smar.monitoring.snapshot import Snapshot, read_shop, take_snapshot
    from smar.params import load_params
    from smar.service.registry import AUTO, find_release
    from smar.service.retriever import Retriever

    params = load_params(Paths(root).params)
    paths = Paths(root)
    logger.info("drift: %s", params.drift.model_dump())
    release = find_release(paths.root, AUTO)
    if release is None:
        if not is_experiment():
            raise ReleaseError(
                f"{paths.release}: there is no release to compare today's data with. See "
                f"{paths.promotion_report / 'index.html'} for why none was made."
            )
        _tell_of_nothing(paths)
        return
    retriever = Retriever.load(root, AUTO)
    place_model(retriever.model, params.threads)
    shop = read_shop(paths)
    today = shop.newest(params.drift.window_days)
    current = take_snapshot(today, retriever, params.evaluate, params.seed)
    manifest = Manifest(kind="drift", inputs=STAGE.digests(root), params=params.drift.model_dump())
    manifest.counts = {"searches": len(today.searches), "items": len(today.items)}
    with write_directory(paths.drift_report, manifest) as folder:
        comparison = compare_snapshots(
            Snapshot.read(release / "reference"),
            current,
            params.drift,
            facts=[stale_signal(list(shop.items["item_id"]), retriever.index.item_ids)],
            report=folder / "evidently.html",
        )
        write_drift_page(folder / "index.html", comparison, retriever.release)
        figures = {"release": retriever.release, **comparison.verdict.as_metrics()}
    STAGE.write_outcome(root, figures)
    for reason in comparison.verdict.reasons:
        logger.warning("drift: %s", reason)
    logger.info("drift: %s, against %s", comparison.verdict.verdict, retriever.release)


def _tell_of_nothing(paths: Paths) -> None:
    """Write the outcome of an experiment that no release came before."""
    from smar.artifacts import Manifest, write_directory
    from smar.monitoring.page import write_empty_page
    from smar.monitoring.verdict import KEEP

    with write_directory(paths.drift_report, Manifest(kind="no release")) as folder:
        write_empty_page(folder / "index.html")
    figures = {"release": "", "verdict": KEEP, "reasons": [], "alarms": 0, "signals": {}}
    STAGE.write_outcome(paths.root, figures)
    logger.warning("drift: nothing compared: there is no release yet, and an experiment makes none")
