"""The source into typed tables and packed pictures; bad rows into quarantine."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from smar.declaration import Stage
from smar.paths import Paths

if TYPE_CHECKING:
    from smar.sources.folder import Tables

logger = logging.getLogger(__name__)

STAGE = Stage(
    summary=str(__doc__),
    reads=["${ingest.folder}"],
    writes=[
        "data/items.parquet",
        "data/queries.parquet",
        "data/searches.parquet",
        "data/engagements.parquet",
        "data/judgements.parquet",
        "data/images",
        "data/quarantine",
        "reports/outcomes/ingest.json",
        "metrics/ingest.json",
    ],
    params=["seed", "ingest"],
    compared=[
        "items",
        "items_with_picture",
        "searches",
        "engagements",
        "judgements",
        "quarantined",
    ],
)


def run(root: Path) -> None:
    """Read the feed, its pictures, the search log and the judgements."""
    from contextlib import ExitStack
    from tempfile import TemporaryDirectory

    from smar.artifacts import Manifest, write_directory
    from smar.data import schema
    from smar.data.images import KIND, SHARD_SIZE
    from smar.data.stored_shards import SHARDS, check_store, forget_others, put_away
    from smar.demo.shop import write_demo_shop
    from smar.params import load_params
    from smar.sources.decoded_pictures import DecodedPictures, remember
    from smar.sources.folder import read_source
    from smar.sources.quarantine import QUARANTINE

    params = load_params(Paths(root).params)
    paths = Paths(root)
    settings = params.ingest.model_dump()
    logger.info("ingest: %s", settings)
    store = settings["images"].pop("store")  # it decides where shards lie, and nothing else
    if store:
        check_store(store)
    with ExitStack() as stack:
        folder = root / params.ingest.folder
        if params.ingest.source == "demo":
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="smar-demo-")))
            write_demo_shop(folder, **params.ingest.demo.model_dump(), seed=params.seed)
        pictures = Manifest(kind=KIND, params=settings["images"])
        pictures.details = {
            "height": params.ingest.images.height,
            "width": params.ingest.images.width,
            "shard_size": SHARD_SIZE,
        }
        target = stack.enter_context(write_directory(paths.images, pictures))
        decoded = DecodedPictures.open(paths.work / "pictures", params.ingest.images)
        tables = read_source(
            folder, params.ingest, params.seed, target, decoded, paths.work, params.cluster
        )
        dropped = tables.quarantine.counts()
        pictures.files = tables.packed.shards
        if store:
            pictures.details |= put_away(target, pictures.files, store, paths.shards)
        pictures.dropped = {k: n for k, n in dropped.items() if k.startswith("pictures: ")}
        left_out = Manifest(kind="quarantine", params=settings, counts=dropped)
        left_out.details = {**tables.log.details(), "judgement_notes": tables.judgement_notes}
        with write_directory(paths.quarantine, left_out) as part:
            schema.write_table(part / "quarantine.parquet", tables.quarantine.frame(), QUARANTINE)
        for name in schema.TABLES:
            getattr(tables, name).write(paths.ingested(name))
    forget_others(paths.shards, pictures.details.get(SHARDS, {}))
    counts = _counts(tables)
    STAGE.write_outcome(root, counts)
    for reason, number in dropped.items():
        logger.warning("quarantined: %d x %s", number, reason)
    try:
        remember(paths.work / "pictures", paths.images, params.ingest.images, tables.packed.stamps)
    except OSError as error:  # the stage is done; the next one decodes what it need not
        logger.warning("ingest: what was decoded is not remembered: %s", error)
    logger.info("ingest: %s", counts)


def _counts(tables: "Tables") -> dict[str, int]:
    import pyarrow.compute as pc

    from smar.data.schema import SPLITS

    counted = pc.value_counts(tables.queries.column("split")).to_pylist()
    splits = {row["values"]: row["counts"] for row in counted}
    num_images = pc.list_value_length(tables.items.column("image_ids"))
    return {
        "items": len(tables.items),
        "items_with_picture": pc.sum(pc.greater(num_images, 0)).as_py() or 0,
        "searches": len(tables.searches),
        "engagements": len(tables.engagements),
        "ignored_events": sum(tables.log.ignored.values()),
        "judgements": len(tables.judgements),
        "quarantined": sum(tables.quarantine.counts().values()),
        **{f"queries_{split}": splits.get(split, 0) for split in SPLITS},
    }
