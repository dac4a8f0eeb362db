"""From a candidate to a release, or to the reasons against it."""

import json
import logging
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from smar.artifacts import Manifest, write_directory
from smar.errors import ArtifactError
from smar.monitoring.snapshot import read_shop, take_snapshot
from smar.paths import Paths
from smar.release.anchor import as_details
from smar.release.bundle import (
    fill_release,
    identity,
    identity_of_release,
    release_manifest,
    write_graph,
)
from smar.release.rules import PASSED, PROMOTED
from smar.release.trial import Project, Trial, try_candidate
from smar.service import registry
from smar.service.origin import copy_release
from smar.service.pulled import adopt

logger = logging.getLogger(__name__)

_NOTHING = "no release"
_EXPERIMENT = (
    "an experiment is judged and never released. To release this one, bring it into the workspace "
    "(`dvc exp apply NAME`) and run `dvc repro --single-item --force promote`"
)


def promote(project: Project) -> dict[str, Any]:
    """Judge the candidate, release it or not, and write the report and models/release.

    A run that was killed at any moment may be repeated: a candidate that is the current release
    already keeps its decision, and one that was written but not yet made current is made so.

    Returns:
        The verdict, its reasons, the current release, and the main figures of both.
    """
    paths = project.paths
    adopt(paths.root)
    current = registry.current_version(paths.root)
    twin = _twin(paths)
    if twin and twin == current:
        logger.info("promote: the candidate is %s, the current release", twin)
        return _conclude(project, paths.releases / twin / "decision", twin)
    with TemporaryDirectory(prefix="smar-promote-") as folder:
        decision_folder = Path(folder)
        trial = try_candidate(project, decision_folder, current=current, twin=twin)
        released = current
        if trial.decision.verdict == PROMOTED:
            released = _release(project, trial, decision_folder, current, twin)
        return _conclude(project, decision_folder, released)


def _release(project: Project, trial: Trial, decision: Path, current: str, twin: str) -> str:
    """Make the candidate the current release and return its version."""
    paths = project.paths
    if twin:
        registry.finish_publishing(paths.root, twin, expected=current)
        return twin
    details = {"figures": trial.figures, "anchors": as_details(trial.anchors)}
    details["times"] = trial.times
    manifest = release_manifest(paths, {"promote": project.promote.model_dump()}, details)
    reference = take_snapshot(read_shop(paths), trial.retriever, project.evaluate, project.seed)

    def fill(folder: Path) -> None:
        fill_release(folder, paths, trial.judged, trial.retriever, decision, reference)
        if project.promote.graph:
            write_graph(folder, trial.retriever)

    return registry.publish(paths.root, fill, manifest, expected=current)


def _conclude(project: Project, decision: Path, released: str) -> dict[str, Any]:
    """Write models/release and the report from a decision's files, and return the outcome."""
    paths = project.paths
    content = json.loads((decision / "decision.json").read_text(encoding="utf-8"))
    if released:
        copy_release(paths.releases / released, paths.release)
    else:
        with write_directory(paths.release, Manifest(kind=_NOTHING)):
            pass  # the pipeline's output has to exist, and holds nothing before a first release
    manifest = Manifest(kind="promotion", params=project.promote.model_dump())
    with write_directory(paths.promotion_report, manifest) as folder:
        for name in ("decision.json", "index.html"):
            shutil.copyfile(decision / name, folder / name)
    overall = content["shared"][0] if content["shared"] else None
    outcome: dict[str, Any] = {
        "verdict": content["verdict"],
        "reasons": content["reasons"],
        "promoted": int(content["verdict"] == PROMOTED),
        "release": int((released or "v0").removeprefix("v")),
        "rules": len(content["rules"]),
        "rules_failed": len(content["reasons"]),
    }
    if overall:
        outcome |= {"old": overall["old"], "new": overall["new"], **overall["gap"]}
    if content["verdict"] == PASSED:
        logger.warning("promote: every rule holds, but %s", _EXPERIMENT)
    for reason in content["reasons"]:
        logger.warning("promote: %s", reason)
    logger.info("promote: %s; the current release is %s", content["verdict"], released or "none")
    return outcome


def _twin(paths: Paths) -> str:
    """Return the newest release that answers as the candidate does, "" if there is none."""
    own = identity(paths.retriever, paths.index, paths.items)
    for version in reversed(registry.versions(paths.root)):
        try:
            registry.read_release(paths.root, version)
            found = identity_of_release(paths.releases / version)
        except ArtifactError as error:
            logger.warning("promote: %s", error)
            continue
        if found == own:
            return version
    return ""
