"""Whether a release still is what was released: every hash, and stored answers asked for again."""

import json
from pathlib import Path

import numpy as np

from smar.artifacts import verify_directory
from smar.data.images import KIND as PICTURES
from smar.data.stored_shards import StoredShards
from smar.errors import ArtifactError, ReleaseError
from smar.paths import Paths
from smar.release.bundle import SEARCHES, answer
from smar.service.finding import ONNX
from smar.service.registry import AUTO, KIND, find_release
from smar.service.retriever import Retriever

_TOLERANCE = 1e-3
_OF_GRAPH = "the graph of the query tower gives those of the queries"


def verify_release(root: Path, release: str = AUTO) -> list[str]:
    """Return what was checked of a release, one line each.

    Every file is hashed again; model and graph embed three stored queries again, the model three
    stored items too; three stored searches must find what they found when the release was made.

    Args:
        root: The project's root folder.
        release: A version, or "auto" for the current one.

    Raises:
        ReleaseError: If there is no such release.
        ArtifactError: Says what is not as it was released.
    """
    folder = find_release(root, release)
    if folder is None:
        raise ReleaseError(
            f"{Paths(root).releases}: there is no release to verify. Run `dvc repro` to make one."
        )
    folder = folder.resolve()
    mend = (
        "Bring it back with `dvc get . models/release --rev smar@VERSION -o releases/VERSION` "
        "after removing it, or leave it with `smar rollback`."
    )
    try:
        manifest = verify_directory(folder, KIND)
        retriever = Retriever.load(root, release)
        _check_model(retriever)
        stored = json.loads((folder / SEARCHES).read_text(encoding="utf-8"))["searches"]
        for search in stored:
            _check_answer(folder, search, answer(retriever, search["query"]))
    except ArtifactError as error:
        raise ArtifactError(f"release {folder.name} is damaged. {error} {mend}") from error
    size = sum(facts["bytes"] for facts in manifest.files.values())
    return [
        f"{manifest.details['version']}: {len(manifest.files)} files, {size / 1e6:.1f} MB, every "
        "hash as released",
        "the model gives the stored embeddings of three queries and three items",
        *([_OF_GRAPH] if retriever.tower.runtime == ONNX else []),
        f"{len(stored)} stored searches find the same items",
        *_pictures(Paths(root)),
    ]


def _pictures(paths: Paths) -> list[str]:
    """Return what was found of pictures in an object store, of which a release holds none."""
    if not paths.images.is_dir():
        return []
    stored = StoredShards.of(verify_directory(paths.images, PICTURES), paths.shards)
    return [] if stored is None else [stored.check()]


def _check_model(retriever: Retriever) -> None:
    """Load the model, which refuses what it cannot prove; a graph may have stood in for it."""
    _ = retriever.model


def _check_answer(folder: Path, stored: dict[str, object], now: dict[str, object]) -> None:
    scores, again = np.array(stored["scores"], float), np.array(now["scores"], float)
    if scores.shape != again.shape or not np.allclose(scores, again, atol=_TOLERANCE, rtol=0):
        raise ArtifactError(
            f"{folder / SEARCHES}: '{stored['query']}' scored {scores[:3].tolist()} when it was "
            f"released and {again[:3].tolist()} now; expected a difference below {_TOLERANCE}."
        )
