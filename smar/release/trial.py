"""A candidate tried against the current release and the best one before it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smar.artifacts import read_manifest, write_json
from smar.data import schema
from smar.errors import ArtifactError, ReleaseError
from smar.index.ann import set_faiss_threads
from smar.judging.judged import JudgedQueries, judged_queries
from smar.judging.metrics import check_metric, score_run
from smar.models.device import place_model
from smar.pages.gallery import Group
from smar.params import EvaluateParams, PromoteParams
from smar.paths import Paths
from smar.release.anchor import Anchor, Key, next_anchors, read_anchors
from smar.release.bundle import check_candidate
from smar.release.comparison import (
    OVERALL,
    Row,
    Table,
    compare,
    compare_as_served,
    latency_ms,
)
from smar.release.page import moved_queries, open_images, write_decision_page
from smar.release.rules import (
    PASSED,
    PROMOTED,
    REFUSED,
    Decision,
    Figures,
    Rule,
    gaps_against,
    judge_figures,
    judge_ranking,
)
from smar.service import registry
from smar.service.ranking import rank
from smar.service.retriever import Retriever

logger = logging.getLogger(__name__)

BEST = "best"


@dataclass(frozen=True)
class Project:
    """What a promotion works on.

    Args:
        paths: The project.
        promote: The rules.
        evaluate: Metric, cutoffs and relevance.
        visual_categories: For the slices.
        seed: Decides resamples.
        threads: CPU threads.
        is_experiment: An experiment is judged and never released.
    """

    paths: Paths
    promote: PromoteParams
    evaluate: EvaluateParams
    visual_categories: list[str]
    seed: int
    threads: int
    is_experiment: bool = False


@dataclass(frozen=True)
class Trial:
    """A decision with what a release of the candidate needs.

    Args:
        decision: What was decided.
        judged: The queries it was decided on.
        retriever: The candidate, loaded.
        figures: Its main figures, by name.
        anchors: The best releases, once it is one.
        times: What its searches take, and those of the current release, by name.
    """

    decision: Decision
    judged: JudgedQueries
    retriever: Retriever
    figures: dict[str, Any]
    anchors: dict[Key, Anchor]
    times: dict[str, float]


@dataclass(frozen=True)
class _Ranking:
    """What came of the comparisons."""

    rules: list[Rule]
    shared: list[Row]
    served: list[Row]
    tables: list[Table]
    anchors: dict[Key, Anchor]
    groups: list[Group]
    facts: dict[str, Any]


def try_candidate(project: Project, folder: Path, *, current: str, twin: str) -> Trial:
    """Return the decision about the candidate; its page and decision.json go to `folder`.

    Args:
        project: The project.
        folder: Where the decision's files go.
        current: Version of the current release, "" for none.
        twin: A release that the candidate equals, "" for none.
    """
    paths, rules_of, evaluate = project.paths, project.promote, project.evaluate
    for metric in rules_of.guard:
        check_metric(metric, evaluate.cutoffs, "promote.guard")
    set_faiss_threads(project.threads)
    candidate = check_candidate(paths)
    place_model(candidate.model, project.threads)
    candidate.encode_by_model()  # as what it is compared with: a graph answers in less time
    judged = judged_queries(
        paths,
        schema.read_table(paths.items, schema.ITEMS),
        evaluate,
        project.visual_categories,
        min_queries=rules_of.min_queries,
        seed=project.seed,
    )
    old = Retriever.load(paths.root, current) if current else None
    if old:
        old.encode_by_model()
    ranking = _rank_against(project, candidate, old, judged) if old else _nothing(paths)
    searched = [candidate, old] if old else [candidate]
    took = latency_ms(searched, list(judged[0].queries["query"]), max(evaluate.cutoffs))
    recall = float(candidate.index.vectors.details["recall"])
    figures = Figures(recall, *took)
    rules = [
        *_check_rules(paths),
        *_twin_rules(paths.root, twin),
        *ranking.rules,
        *judge_figures(figures, rules_of),
    ]
    known = {name: round(value, 3) for name, value in vars(figures).items() if value is not None}
    times = {name: value for name, value in known.items() if name.endswith("_ms")}
    logger.info("promote: 95th percentile of a search's CPU time: %s", times)
    facts = {name: value for name, value in known.items() if name not in times}
    decision = Decision(
        _verdict(rules, is_experiment=project.is_experiment),
        current,
        rules,
        evaluate.primary,
        judged[0].name,
        ranking.shared,
        ranking.tables,
        ranking.served,
        ranking.facts | facts,
    )
    write_json(folder / "decision.json", decision.as_dict())
    write_decision_page(folder / "index.html", decision, ranking.groups, rules_of.protected)
    main = {
        evaluate.primary: _mean(candidate, judged[0], evaluate),
        "queries": f"{len(judged[0].queries)} {judged[0].name}",
        "index_recall": recall,
    }
    return Trial(decision, judged[0], candidate, main, ranking.anchors, times)


def _verdict(rules: Sequence[Rule], *, is_experiment: bool) -> str:
    if not all(rule.passed for rule in rules):
        return REFUSED
    return PASSED if is_experiment else PROMOTED


def _nothing(paths: Paths) -> _Ranking:
    """Return the outcome where there is no release to compare with."""
    return _Ranking(_known_rules(paths.root), [], [], [], {}, [], {})


def _rank_against(
    project: Project, candidate: Retriever, old: Retriever, judged: Sequence[JudgedQueries]
) -> _Ranking:
    """Return the candidate's ranking against the current release and the best ones before it."""
    evaluate, rules_of, seed = project.evaluate, project.promote, project.seed
    current = old.release
    tables: list[Table] = []
    first = compare(candidate, old, judged[0], evaluate, seed)
    for one in judged:
        comparison = first if one is judged[0] else compare(candidate, old, one, evaluate, seed)
        tables += [comparison.table(name, current, evaluate, seed) for name in rules_of.guard]
    keys = [(metric, name) for metric in rules_of.guard for name in (OVERALL, *rules_of.protected)]
    manifest = registry.read_release(project.paths.root, current)
    anchors = read_anchors(manifest.details, current, keys) if rules_of.anchor == BEST else {}
    tables += _anchor_tables(project, candidate, judged[0], anchors, current)
    own = [table for table in tables if table.query_set == judged[0].name]
    gaps = gaps_against(own, current, rules_of.min_queries)
    direct = {
        key: found[key]
        for key, anchor in anchors.items()
        if key in (found := gaps_against(own, anchor.version, rules_of.min_queries))
    }
    labels = (current, "candidate")
    images = open_images(project.paths)
    return _Ranking(
        rules=judge_ranking(tables, current, anchors, rules_of),
        shared=first.rows,
        served=compare_as_served(candidate, old, judged[0], evaluate, seed),
        tables=tables,
        anchors=next_anchors(anchors, gaps, direct),
        groups=moved_queries(
            first, evaluate.primary, candidate.frame(), images, labels, rules_of.examples
        ),
        facts=_catalogue_facts(candidate, old, len(first.item_ids)),
    )


def _anchor_tables(
    project: Project,
    candidate: Retriever,
    judged: JudgedQueries,
    anchors: dict[Key, Anchor],
    current: str,
) -> list[Table]:
    """Return the figures of the candidate against the best release at each of them.

    A best release that is no more on this disk, or is damaged, has no table.
    """
    tables = []
    for version in sorted({anchor.version for anchor in anchors.values()} - {current}):
        try:
            best = Retriever.load(project.paths.root, version)
        except (ArtifactError, ReleaseError) as error:
            logger.warning("promote: losses since %s are added up instead: %s", version, error)
            continue
        comparison = compare(candidate, best, judged, project.evaluate, project.seed)
        if not len(comparison.queries):
            continue
        for metric in project.promote.guard:
            table = comparison.table(metric, version, project.evaluate, project.seed)
            rows = [
                row
                for row in table.rows
                if (key := (metric, row.name)) in anchors and anchors[key].version == version
            ]
            tables.append(Table(version, table.query_set, metric, rows))
    return tables


def _known_rules(root: Path) -> list[Rule]:
    """Return a failed rule where git knows of releases and none is here to compare with."""
    tagged = registry.tagged_versions(root)
    if not tagged:
        return []
    text = (
        f"git knows the release {tagged[-1]}, and no release is on this disk to compare with. "
        "`dvc pull promote` fetches the one of this commit"
    )
    return [Rule("known release", passed=False, text=text)]


def _twin_rules(root: Path, twin: str) -> Sequence[Rule]:
    """Return a failed rule for a candidate that was a release and was rolled back."""
    if not twin or not registry.was_current(root, twin):
        return ()
    text = (
        f"the candidate equals {twin}, which was left for another release; a pipeline "
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


def _mean(retriever: Retriever, judged: JudgedQueries, evaluate: EvaluateParams) -> float | None:
    """Return the mean of the primary metric over a retriever's own items, None of no query."""
    item_ids = retriever.index.item_ids
    queries = judged.on(item_ids)
    if not len(queries):
        return None
    run = rank(retriever, queries, item_ids, max(evaluate.cutoffs))
    return round(float(score_run(run, queries, evaluate.cutoffs)[evaluate.primary].mean()), 6)
