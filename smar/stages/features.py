"""What frozen pretrained models make of pictures and texts, once per content."""

import logging
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smar.checks import Check
from smar.declaration import OF_RUN, Stage
from smar.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from smar.features.frozen_towers import FrozenPart
    from smar.features.store import FeatureRows
    from smar.params import Params

logger = logging.getLogger(__name__)

STAGE = Stage(
    summary=str(__doc__),
    reads=[
        "data/accepted/items.parquet",
        "data/images",
        "backbones/${model.pretrained}.model",
        "backbones/${model.text.pretrained}.model",
        "backbones/${model.image.pretrained}.model",
    ],
    writes=[
        "data/features",
        "reports/outcomes/features.json",
        "metrics/features.json",
    ],
    params=["threads", "model", "features"],
    compared=["rows"],
    checks={
        "every_content_has_features": Check(
            text="Every picture, and every text, of a frozen tower has its features."
        )
    },
)


def run(root: Path) -> None:
    """Write the features of the item towers with `unfreeze: none`; without one, an empty folder.

    What a run before computed of the same contents with the same backbone is taken over: the
    folder is read too, though DVC does not know: `persist` keeps it.
    """
    from smar.artifacts import Manifest, write_directory
    from smar.checks import Checked
    from smar.models.pretrained import checkpoints
    from smar.models.pretrained_checks import check_pretrained
    from smar.params import load_params

    paths = Paths(root)
    params = load_params(paths.params)
    check_pretrained(params.model, paths.backbones)
    starts = checkpoints(params.model, paths.backbones)
    inputs = STAGE.digests(root)
    frozen: list[str] = [
        name
        for name in ("image", "text")
        if name in starts and getattr(params.model, name).unfreeze == "none"
    ]
    if not frozen:
        logger.info(
            "features: nothing to do: no item tower is frozen (model.text.unfreeze or "
            "model.image.unfreeze: none, with a pretrained model)"
        )
        inputs = {}
    inputs |= {starts[name].folder.name: starts[name].digest() for name in frozen}
    manifest = Manifest(kind="features", inputs=inputs)
    rows = {"pictures": 0, "texts": 0}
    of_run = {"computed": 0, "resumed": 0}
    with write_directory(paths.features, manifest) as folder:
        lost = _make(folder, paths, params, frozen, manifest.details, rows, of_run) if frozen else 0
        found = Checked(
            name="every_content_has_features",
            passed=not lost,
            text=f"{lost} contents have none" if lost else "all have",
            figures={},
        )
        manifest.counts = rows
        figures = {"rows": rows, OF_RUN: of_run}
        content = STAGE.with_checks(paths.outcome("features"), figures, [found])
    shutil.rmtree(paths.work / "features", ignore_errors=True)
    STAGE.write_outcome(root, content)
    logger.info("features: %s", rows | of_run)


def _make(
    folder: Path,
    paths: Paths,
    params: "Params",
    frozen: list[str],
    details: dict[str, Any],
    rows: dict[str, int],
    of_run: dict[str, int],
) -> int:
    """Fill the folder, the details of its manifest and the counts; return what is missing."""
    from smar.features.making import compute_shard, make_rows
    from smar.features.store import PARTS, FeatureRows
    from smar.shards.mapping import map_shards

    inputs = STAGE.digests(paths.root)
    threads = params.cluster.threads(params.threads)
    lost = 0
    for name in frozen:
        part = _part(paths, params, name, params.threads, verify=name == frozen[0])
        target = folder / name
        target.mkdir()
        earlier = _earlier(paths, name, part.fingerprint)
        work = paths.work / "features" / part.fingerprint[:16]
        compute_shards = partial(
            map_shards,
            partial(computing, paths.root, name, threads, inputs, part.fingerprint),
            cluster=params.cluster,
            threads=threads,
            uses_gpu=True,
            here=partial(compute_shard, part.wanted),
        )
        made = make_rows(target, work, part.wanted, earlier, compute_shards)
        details[name] = {
            "fingerprint": part.fingerprint,
            "source": part.source,
            "numbers": part.wanted.width,
        }
        rows[PARTS[name]] = made.rows
        of_run["computed"] += made.computed
        of_run["resumed"] += made.resumed
        lost += int((FeatureRows.open(target).places(part.wanted.keys) < 0).sum())
    return lost


def _part(paths: Paths, params: "Params", name: str, threads: int, *, verify: bool) -> "FrozenPart":
    """Return a frozen tower, and what it is to read."""
    import torch

    from smar.data import schema
    from smar.data.images import ImageStore
    from smar.features.frozen_towers import frozen_part
    from smar.models.device import set_threads
    from smar.models.pretrained import checkpoints

    set_threads(threads)
    items = schema.read_table(paths.items, schema.ITEMS)
    images = ImageStore.open(paths.images, verify=verify)
    starts = checkpoints(params.model, paths.backbones)
    with torch.random.fork_rng():
        return frozen_part(name, params.model, params.features, starts, items, images)


def computing(
    root: Path, name: str, threads: int, inputs: "Mapping[str, str]", fingerprint: str
) -> "Callable[[NDArray[np.int64]], NDArray[np.float16]]":
    """Return what computes a shard of features, with the frozen tower in memory.

    Args:
        root: The project.
        name: The tower.
        threads: CPU threads; 0 = as many as the process may use.
        inputs: Digests of what the stage reads.
        fingerprint: Of all that decides the features.

    Raises:
        ArtifactError: If the project here holds something else.
    """
    from smar.errors import ArtifactError
    from smar.features.making import compute_shard
    from smar.params import load_params

    STAGE.expect(root, inputs)
    paths = Paths(root)
    part = _part(paths, load_params(paths.params), name, threads, verify=False)
    if part.fingerprint != fingerprint:
        raise ArtifactError(f"{paths.backbones}: {part.source} differs here from the stage's.")
    return partial(compute_shard, part.wanted)


def _earlier(paths: Paths, name: str, fingerprint: str) -> "FeatureRows | None":
    """Return a part of the folder that lies there, None if it is not of the same backbone."""
    from smar.artifacts import verify_directory
    from smar.errors import ArtifactError
    from smar.features.store import KIND, FeatureRows

    if not paths.features.exists():
        return None
    try:
        details = verify_directory(paths.features, KIND).details
        if details.get(name, {}).get("fingerprint") != fingerprint:
            return None
        return FeatureRows.open(paths.features / name)
    except (ArtifactError, OSError, ValueError, KeyError) as error:
        logger.warning("earlier features are not used: %s", error)
        return None
