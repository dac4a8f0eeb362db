"""What encodes a retriever's queries: a graph of its model where there is one, else the model.

A release holds the graph of its query tower (`query.onnx`, written when it is made); graphs of
other models are kept in `.smar/onnx` once a service wrote them. With a graph neither torch nor the
model is loaded, which is most of the wait for a first answer.
"""

import logging
from pathlib import Path

from smar.artifacts import Manifest, digest
from smar.errors import ArtifactError, ExportError
from smar.models.onnx import proven_queries
from smar.models.onnx_kept import graph_path, kept_queries
from smar.paths import Paths
from smar.service.finding import ONNX, QueryTower

logger = logging.getLogger(__name__)

GRAPH = "query.onnx"
"""The graph of a release, beside its model."""


def graph_tower(
    root: Path, model: Path, release: Path | None, manifest: Manifest | None
) -> QueryTower | None:
    """Return the query tower of a graph that is there already, None where none can be used.

    Args:
        root: The project's root folder.
        model: The model's directory artefact.
        release: The release that it is part of, None for the working tree.
        manifest: The release's manifest.

    Raises:
        ArtifactError: If a file is damaged.
    """
    try:
        if release and manifest and GRAPH in manifest.files:
            if digest(release / GRAPH) != manifest.files[GRAPH]["sha256"]:
                raise ArtifactError(f"{release / GRAPH}: is not what was written.")
            return QueryTower(ONNX, proven_queries(model, release / GRAPH).encode)
        path = graph_path(model, Paths(root).work / "onnx")
        if path.is_file() and (found := kept_queries(model, path)):
            return QueryTower(ONNX, found.encode)
    except ExportError as error:
        logger.info("queries are encoded by torch: %s", error)
    return None
