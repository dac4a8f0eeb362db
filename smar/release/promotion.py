"""From a candidate to a release, or to the reasons against it."""

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from smar.artifacts import Manifest, copy_directory, read_manifest, write_directory, write_json
from smar.data import schema
from smar.errors import ArtifactError
from smar.index.ann import set_faiss_threads
from smar.judging.judged import JudgedQueries, judged_queries
from smar.models.device import place_model
from smar.monitoring.snapshot import read_shop, take_snapshot
from smar.pages.gallery import Group
from smar.params import EvaluateParams, GateParams, PromoteParams
from smar.paths import Paths
from smar.release.bundle import check_candidate, fill_release, identity, release_manifest
from smar.release.comparison import compare, compare_as_served, latency_ms
from smar.release.page import moved_queries, open_images, write_decision_page
from smar.release.rules import (
    PROMOTED,
    REFUSED,
    Decision,
    Figures,
    Rule,
    judge_figures,
    judge_ranking,
)
from smar.service import registry
from smar.service.retriever import Retriever

logger = logging.getLogger(__name__)

_NOTHING = "no release"


@dataclass(frozen=True)
class Project:
    """What a promotion works on.

    Args:
        paths: The project.
        promote: The rules.
        evaluate: Metric, cutoffs and relevance.
        gate: Visual categories, for the slices.
        seed: Decides resamples.
        threads: CPU threads.
    """

    paths: Paths
    promote: PromoteParams
    evaluate: EvaluateParams
    gate: GateParams
    seed: int
    threads: int


def promote(project: Project) -> str:
    """Judge the candidate, release it or not, and write report, metrics and models/release.

    A run that was killed at any moment may be repeated: a candidate that is the current release
    already keeps its decision, and one that was written but not yet made current is made so.

    Returns:
        The verdict.
    """
    paths = project.paths
    current = registry.current_version(paths.root)
    twin = _twin(paths)
    if twin and twin == current:
        logger.info("promote: the candidate is %s, the current release", twin)
        return _conclude(project, paths.releases / twin / "decision", twin)
    with TemporaryDirectory(prefix="smar-promote-") as folder:
        decision_folder = Path(folder)
        verdict = _judge(project, decision_folder, current=current, twin=twin)
        released = current
        if verdict.decision.verdict == PROMOTED:
            released = _release(project, verdict, decision_folder, current, twin)
        return _conclude(project, decision_folder, released)


@dataclass(frozen=True)
class _Verdict:
    """A decision with what a release of the candidate needs."""

    decision: Decision
    judged: JudgedQueries
    retriever: Retriever
    index_recall: float


def _judge(project: Project, folder: Path, *, current: str, twin: str) -> _Verdict:
    """Return the decision about the candidate; its files go to `folder`."""
    paths, rules_of = project.paths, project.promote
    set_faiss_threads(project.threads)
    candidate = check_candidate(paths)
    place_model(candidate.model, project.threads)
    items = schema.read_table(paths.items, schema.ITEMS)
    judged = judged_queries(
        paths,
        items,
        project.evaluate,
        project.gate,
        min_queries=rules_of.min_queries,
        seed=project.seed,
    )
    rules = [*_check_rules(paths), *_twin_rules(paths.root, twin)]
    texts = list(judged.queries["query"])
    k = max(project.evaluate.cutoffs)
    recall = float(candidate.index.vectors.details["recall"])
    primary = project.evaluate.primary
    groups: list[Group] = []
    shared, served, facts = [], [], {}
    if current:
        old = Retriever.load(paths.root, current)
        comparison = compare(candidate, old, judged, project.evaluate, project.seed)
        shared = comparison.rows
        served = compare_as_served(candidate, old, judged, project.evaluate, project.seed)
        facts = _catalogue_facts(candidate, old, len(comparison.item_ids))
        rules += judge_ranking(shared, primary, rules_of)
        new_ms, old_ms = latency_ms([candidate, old], texts, k)
        figures = Figures(recall, new_ms, old_ms)
        groups = moved_queries(
            comparison,
            primary,
            candidate.items,
            open_images(paths),
            (current, "candidate"),
            rules_of.examples,
        )
    else:
        figures = Figures(recall, latency_ms([candidate], texts, k)[0])
    rules += judge_figures(figures, rules_of)
    facts |= {name: round(value, 3) for name, value in vars(figures).items() if value is not None}
    verdict = PROMOTED if all(rule.passed for rule in rules) else REFUSED
    decision = Decision(verdict, current, rules, primary, judged.name, shared, served, facts)
    write_json(folder / "decision.json", decision.as_dict())
    write_decision_page(folder / "index.html", decision, groups, rules_of.protected)
    return _Verdict(decision, judged, candidate, recall)


def _release(project: Project, verdict: _Verdict, decision: Path, current: str, twin: str) -> str:
    """Make the candidate the current release and return its version."""
    paths = project.paths
    if twin:
        registry.finish_publishing(paths.root, twin, expected=current)
        return twin
    figures = _metrics(paths, "evaluate")
    main = figures.get(verdict.judged.name, {}).get("gated", {}).get(project.evaluate.primary)
    manifest = release_manifest(
        paths,
        {"promote": project.promote.model_dump()},
        {
            project.evaluate.primary: main,
            "queries": f"{len(verdict.judged.queries)} {verdict.judged.name}",
            "index_recall": verdict.index_recall,
        },
    )
    reference = take_snapshot(read_shop(paths), verdict.retriever, project.evaluate, project.seed)

    def fill(folder: Path) -> None:
        fill_release(folder, paths, verdict.judged, verdict.retriever, decision, reference)

    return registry.publish(paths.root, fill, manifest, expected=current)


def _conclude(project: Project, decision: Path, released: str) -> str:
    """Write models/release, the report and the metrics from a decision's files."""
    paths = project.paths
    content = json.loads((decision / "decision.json").read_text(encoding="utf-8"))
    if released:
        copy_directory(paths.releases / released, paths.release)
    else:
        with write_directory(paths.release, Manifest(kind=_NOTHING)):
            pass  # the pipeline's output has to exist, and holds nothing before a first release
    manifest = Manifest(kind="promotion", params=project.promote.model_dump())
    with write_directory(paths.promotion_report, manifest) as folder:
        for name in ("decision.json", "index.html"):
            shutil.copyfile(decision / name, folder / name)
    overall = content["shared"][0] if content["shared"] else None
    metrics: dict[str, Any] = {
        "promoted": int(content["verdict"] == PROMOTED),
        "release": int((released or "v0").removeprefix("v")),
        "rules": len(content["rules"]),
        "rules_failed": len(content["reasons"]),
    }
    if overall:
        metrics |= {"old": overall["old"], "new": overall["new"], **overall["gap"]}
    write_json(paths.metrics("promote"), metrics)
    for reason in content["reasons"]:
        logger.warning("promote: %s", reason)
    logger.info("promote: %s; the current release is %s", content["verdict"], released or "none")
    return str(content["verdict"])


def _twin(paths: Paths) -> str:
    """Return the newest release with the candidate's bytes, "" if there is none."""
    own = identity(paths)
    for version in reversed(registry.versions(paths.root)):
        try:
            found = registry.read_release(paths.root, version).details["identity"]
        except ArtifactError as error:
            logger.warning("promote: %s", error)
            continue
        if found == own:
            return version
    return ""


def _twin_rules(root: Path, twin: str) -> Sequence[Rule]:
    """Return a failed rule for a candidate that was a release and was rolled back."""
    if not twin or not registry.was_current(root, twin):
        return ()
    text = (
        f"the candidate has the bytes of {twin}, which was left for another release; a pipeline "
        f"does not undo that. `smar rollback {twin}` makes it current again"
    )
    return (Rule("not rolled back", passed=False, text=text),)


def _check_rules(paths: Paths) -> Sequence[Rule]:
    """Return the rule that the blocking checks are green."""
    failed = int(read_manifest(paths.validation_report, "validation").counts["stops"])
    text = f"{failed} blocking checks of the data failed (reports/validation/index.html)"
    return (Rule("validation", failed == 0, text),)


def _catalogue_facts(new: Retriever, old: Retriever, shared: int) -> dict[str, Any]:
    return {
        "shared_items": shared,
        "new_items": len(new.index.item_ids) - shared,
        "gone_items": len(old.index.item_ids) - shared,
    }


def _metrics(paths: Paths, stage: str) -> dict[str, Any]:
    file = paths.metrics(stage)
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{file}: cannot be read ({error}). Run `dvc repro {stage}` to make it."
        ) from error
    return content
