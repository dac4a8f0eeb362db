"""What a release is made of: copies of everything that answers queries, and where it comes from."""

import json
import logging
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from smar.artifacts import (
    MANIFEST,
    Manifest,
    digest,
    digests,
    read_manifest,
    verify_directory,
    write_json,
)
from smar.data.images import ImageStore
from smar.declaration import OF_RUN
from smar.errors import ArtifactError, ExportError
from smar.judging.judged import JudgedQueries
from smar.models.onnx_graph import write_query_graph
from smar.monitoring.snapshot import Snapshot
from smar.paths import Paths
from smar.provenance import origin, provenance
from smar.service.registry import KIND
from smar.service.retriever import Retriever
from smar.service.suggestions import FILE, suggestions_of_tree, write_suggestions
from smar.service.towers import GRAPH

logger = logging.getLogger(__name__)

SEARCHES = "searches.json"
_ABOUT_RELEASES = {"promote", "drift"}  # what these stages find is no part of a release
_MEASURED = {"recall", "recall_at", "reason", "model_sha"}  # the model's own part says which it is
_STORED = 3
_DEPTH = 10


def identity(model: Path, index: Path, items: Path) -> dict[str, str]:
    """Return what makes a candidate this one: all that decides an answer.

    That is the bytes of model, index and item table, and what the manifests of model and index tell
    their readers, such as how much the words count. What was measured or says where they come from
    (commits, dates, library versions) is left out: equal answers are the same candidate.

    Args:
        model: Folder of the model.
        index: Folder of the index.
        items: Item table.
    """
    parts = {"items": digest(items)}
    for name, path in (("model", model), ("index", index)):
        manifest = read_manifest(path, name)
        files = {file: facts["sha256"] for file, facts in manifest.files.items()}
        told = {key: value for key, value in manifest.details.items() if key not in _MEASURED}
        text = json.dumps({"files": files, "details": told}, sort_keys=True, default=str)
        parts[name] = sha256(text.encode()).hexdigest()
    return parts


def identity_of_release(folder: Path) -> dict[str, str]:
    """Return the identity of a release, from its files."""
    return identity(folder / "model", folder / "index", folder / "items.parquet")


def release_manifest(paths: Paths, params: dict[str, Any], details: dict[str, Any]) -> Manifest:
    """Return the manifest of a release of what lies in the working tree.

    Args:
        paths: The project.
        params: The rules it passed.
        details: What readers of releases need, "figures" among it.
    """
    inputs = digests(
        paths.root,
        paths.items,
        paths.queries,
        paths.searches,
        paths.engagements,
        paths.judgements,
        paths.images,
        paths.embeddings,
        paths.index,
        paths.retriever,
    )
    counts = json.loads(paths.outcome("ingest").read_text(encoding="utf-8"))
    details = details | {
        "identity": identity(paths.retriever, paths.index, paths.items),
        "provenance": {
            name: found for name in inputs if (found := provenance(paths.root, paths.root / name))
        },
    }
    return Manifest(
        kind=KIND,
        inputs=inputs,
        params=params,
        counts=counts,
        details=details,
        **origin(paths.root),
    )


def fill_release(
    folder: Path,
    paths: Paths,
    judged: JudgedQueries,
    retriever: Retriever,
    decision: Path,
    reference: Snapshot,
) -> None:
    """Write a release's files into an empty folder.

    model/, index/, items.parquet, pictures.parquet and suggestions.parquet answer shoppers; judged/
    is what later candidates are compared on, reference/ what drift is measured from; decision/ says
    why it was promoted; searches.json holds answers that `smar verify` asks for again; metrics/,
    params.yaml and dvc.lock tell where it comes from.

    Args:
        folder: The empty folder.
        paths: The project whose working tree is released.
        judged: The judged queries.
        retriever: The candidate, loaded.
        decision: Folder with the decision's files.
        reference: Snapshot of the data that it was made from.
    """
    shutil.copytree(paths.retriever, folder / "model")
    shutil.copytree(paths.index, folder / "index")
    shutil.copytree(decision, folder / "decision")
    shutil.copy(paths.items, folder / "items.parquet")
    table = pd.DataFrame({"sha256": ImageStore.of(paths).sha256}, dtype="str")
    table.to_parquet(folder / "pictures.parquet", index=False)
    write_suggestions(folder / FILE, suggestions_of_tree(paths, retriever.items.table))
    (folder / "judged").mkdir()
    judged.write(folder / "judged")
    reference.write(folder / "reference")
    texts = list(judged.queries["query"][:_STORED])
    write_json(folder / SEARCHES, {"searches": [answer(retriever, text) for text in texts]})
    (folder / "metrics").mkdir()
    for file in sorted(paths.outcome("any").parent.glob("*.json")):
        if file.stem not in _ABOUT_RELEASES:
            found = json.loads(file.read_text(encoding="utf-8"))
            found.pop(OF_RUN, None)
            write_json(folder / "metrics" / file.name, found)
    shutil.copy(paths.params, folder / "params.yaml")
    # A plain file to this library: what the orchestrator knew about every stage's inputs.
    lock = paths.root / "dvc.lock"
    if lock.is_file():
        _write_lock(lock, folder / "dvc.lock")


def write_graph(folder: Path, retriever: Retriever) -> None:
    """Write the query tower of a release's model as a graph, where it can be one."""
    try:
        write_query_graph(retriever.model, folder / GRAPH)
    except ExportError as error:
        logger.warning("the release has no graph, and its searches load torch: %s", error)


def _write_lock(lock: Path, path: Path) -> None:
    """Write the entries of the stages that a release is made of, in one order."""
    content = yaml.safe_load(lock.read_text(encoding="utf-8"))
    stages = content.get("stages") or {}
    kept = {name: stages[name] for name in sorted(stages) if name not in _ABOUT_RELEASES}
    text = yaml.safe_dump(content | {"stages": kept}, sort_keys=False)
    path.write_text(text, encoding="utf-8")


def answer(retriever: Retriever, text: str) -> dict[str, Any]:
    """Return a query with the ids and scores of its best items."""
    hits = retriever.search(text, _DEPTH)
    return {
        "query": text,
        "item_ids": [hit.item_id for hit in hits],
        "scores": [hit.score for hit in hits],
    }


def check_candidate(paths: Paths) -> Retriever:
    """Return the candidate in the working tree after re-hashing every file of it.

    Raises:
        ArtifactError: If a file is damaged, or its parts do not belong together.
    """
    verify_directory(paths.retriever, "model")
    verify_directory(paths.index, "index")
    embeddings = digests(paths.root, paths.embeddings)
    if not embeddings.items() <= read_manifest(paths.index, "index").inputs.items():
        raise ArtifactError(
            f"{paths.index / MANIFEST}: was built from other embeddings than {paths.embeddings} "
            "holds. Run `dvc repro` so that they belong together."
        )
    return Retriever.load(paths.root, "none")
