"""Sensors and schedules that follow a DVC repository: what ran elsewhere, what came in.

Nothing is decided by the clock alone: cursors and run keys are content hashes, and a schedule over
an unchanged repository says so instead of starting a run.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import md5
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_dvc import checks
from dagster_dvc.hooks import NO_HOOKS, Hooks
from dagster_dvc.manifest import Source, Stage
from dagster_dvc.metadata import Reader, stage_metadata
from dagster_dvc.private import UnresolvedAssetJobDefinition
from dagster_dvc.repository import UNREACHABLE, Repository
from dagster_dvc.sync import Unreported, unobserved_sources, unreported_stages
from dagster_dvc.translator import DvcTranslator
from dagster_dvc.versions import recorded_source_version

Job = UnresolvedAssetJobDefinition

_UNFINISHED = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def build_sync_sensor(
    root: Path,
    translator: DvcTranslator,
    *,
    name: str = "dvc_sync",
    interval_s: int = 30,
    readers: Sequence[Reader] = (),
    reports_url: str = "",
    hooks: Hooks = NO_HOOKS,
) -> dg.SensorDefinition:
    """Return a sensor that reports what `dvc repro` or `dvc checkout` did outside Dagster.

    It compares dvc.lock with the latest materialisation of every stage and raw inputs with their
    latest observation, so that staleness is DVC's whoever ran the stage. What stages found in their
    own work is read where they wrote something since the last look, also where they failed.
    """

    @dg.sensor(
        name=name,
        minimum_interval_seconds=interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports stages that ran outside Dagster, and raw inputs that changed.",
    )
    def sync(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if context.instance.get_runs_count(dg.RunsFilter(statuses=_UNFINISHED)):
            return dg.SkipReason("a run is under way; its steps report themselves")
        repository = Repository(root)
        events: list[Any] = list(
            unobserved_sources(context.instance, repository, translator, hooks)
        )
        told: set[str] = set()
        for found in unreported_stages(context.instance, repository, translator):
            events.append(_report(found, repository, translator, readers, reports_url))
            told.add(found.stage.name)
        marks = _marks(repository)
        before = json.loads(context.cursor or "{}")
        results: dict[tuple[Any, Any], dg.AssetCheckResult] = {}  # items share theirs
        for stage in translator.stages(repository.manifest):
            if stage.name in told or marks[stage.name] != before.get(stage.name):
                key = translator.names(repository.manifest).stages[stage.name]
                own = checks.of_stage(repository, translator, stage)
                for one in [*own, *hooks.results(root, key, stage)]:
                    if stage.name in told or not checks.is_known(context.instance, one):
                        results[one.asset_key, one.check_name] = one
        events += map(checks.as_event, results.values())
        if not events:
            context.update_cursor(json.dumps(marks))
            return dg.SkipReason("dvc.lock and the raw inputs are as Dagster knows them")
        names = ", ".join(dict.fromkeys(e.asset_key.to_user_string() for e in events))
        return dg.SensorResult(
            asset_events=events, skip_reason=f"reported {names}", cursor=json.dumps(marks)
        )

    return sync


def _marks(repository: Repository) -> dict[str, str]:
    """Return, for every stage, a hash of when its outputs were written."""
    return {
        name: _digest({out.path: str(_written(repository.root / out.path)) for out in stage.outs})
        for name, stage in repository.manifest.stages.items()
    }


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _report(
    found: Unreported,
    repository: Repository,
    translator: DvcTranslator,
    readers: Sequence[Reader],
    reports_url: str,
) -> dg.AssetMaterialization:
    """Return the event that tells Dagster of a stage and what it made."""
    stage, manifest = found.stage, repository.manifest
    shown = stage_metadata(manifest, stage, readers, reports_url)
    why = "; ".join(map(str, found.reasons))
    return dg.AssetMaterialization(
        translator.names(manifest).stages[stage.name],
        partition=translator.partition_of(stage, manifest) or None,
        description=f"DVC would run it again: {why}" if why else "seen in dvc.lock",
        metadata=shown | {"dvc/outcome": f"changed: {why}" if why else "run outside Dagster"},
        tags=found.tags,
    )


@dataclass
class SourceCursor:
    """What the source sensor remembers.

    Args:
        seen: Hash of the raw inputs at the last look.
        since: When that hash was first seen, in seconds since 1970.
        requested: Hash of the raw inputs a run was last requested for.
    """

    seen: str = ""
    since: float = 0.0
    requested: str = ""


def build_source_sensor(
    root: Path,
    translator: DvcTranslator,
    job: Job,
    *,
    name: str = "raw_data",
    interval_s: int = 15,
    settle_s: float = 20.0,
    hooks: Hooks = NO_HOOKS,
) -> dg.SensorDefinition:
    """Return a sensor that starts a job when raw inputs differ from what the last run read.

    A change has to keep still for `settle_s` first, so that half-copied files start nothing. The
    run key is the content's hash: the same content never starts two runs.
    """

    @dg.sensor(
        name=name,
        job=job,
        minimum_interval_seconds=interval_s,
        description="Starts a run when raw data is new or changed, and has settled.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        repository = Repository(root)
        changed = changed_sources(repository, translator)
        if not changed:
            return dg.SkipReason("the raw inputs are as the last run read them")
        names = ", ".join(source.path for source in changed)
        now = time.time()
        cursor = SourceCursor(**json.loads(context.cursor)) if context.cursor else SourceCursor()
        sources = translator.sources(repository.manifest)
        content = _digest({s.path: repository.source_version(s) for s in sources})
        if content != cursor.seen:
            cursor.seen, cursor.since = content, now
            context.update_cursor(json.dumps(asdict(cursor)))
        if now - cursor.since < settle_s:
            return dg.SkipReason(f"{names} changed; waiting {settle_s:g} s for it to settle")
        if cursor.requested == content:
            return dg.SkipReason(f"{names} changed; a run was already requested for this content")
        cursor.requested = content
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=f"{name}:{content}", tags={"dvc/changed": names})],
            asset_events=list(unobserved_sources(context.instance, repository, translator, hooks)),
            cursor=json.dumps(asdict(cursor)),
        )

    return watch


def changed_sources(repository: Repository, translator: DvcTranslator) -> list[Source]:
    """Return the raw inputs that some stage has not read in their present state."""
    readers: dict[str, list[Stage]] = {}
    for stage in repository.manifest.stages.values():
        for source in translator.sources_of(stage, repository.manifest):
            readers.setdefault(source.path, []).append(stage)
    found = []
    for source in translator.sources(repository.manifest):
        now = repository.source_version(source)
        if now != UNREACHABLE and any(
            stage.lock is None or recorded_source_version(stage.lock, source) != now
            for stage in readers.get(source.path, [])
        ):
            found.append(source)
    return found


def build_verdict_sensor(
    root: Path,
    file: str,
    key: str,
    jobs: Mapping[str, Job],
    *,
    name: str,
    interval_s: int = 60,
    cooldown_s: float = 86_400.0,
) -> dg.SensorDefinition:
    """Return a sensor that starts the job a report asks for.

    Args:
        root: Root folder of the repository.
        file: JSON file, relative to the root, that a stage writes.
        key: Its entry that holds the verdict.
        jobs: Verdict -> job; any other verdict starts nothing.
        name: Name of the sensor.
        interval_s: Seconds between looks.
        cooldown_s: After a request the next one waits this long, whatever the reports say.
    """

    @dg.sensor(
        name=name,
        jobs=list({job.name: job for job in jobs.values()}.values()),
        minimum_interval_seconds=interval_s,
        description=f"Starts what `{key}` in {file} asks for: {', '.join(jobs)}.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        report = root / file
        if not report.is_file():
            return dg.SkipReason(f"{file} is not there yet")
        text = report.read_bytes()
        verdict = json.loads(text).get(key)
        if verdict not in jobs:
            return dg.SkipReason(f"{file} says '{verdict}'")
        before: dict[str, Any] = json.loads(context.cursor or '{"content": "", "at": 0.0}')
        content, now = md5(text, usedforsecurity=False).hexdigest(), time.time()
        if content == before["content"]:
            return dg.SkipReason(f"{file} says '{verdict}'; already acted on")
        left = before["at"] + cooldown_s - now
        if left > 0:
            return dg.SkipReason(f"{file} says '{verdict}'; cooling down for {left / 3600:.1f} h")
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=f"{name}:{content}",
                    job_name=jobs[verdict].name,
                    tags={"dvc/verdict": verdict},
                )
            ],
            cursor=json.dumps({"content": content, "at": now}),
        )

    return look


def build_schedule(
    root: Path,
    job: Job,
    stages: Sequence[str],
    *,
    name: str,
    cron: str,
    timezone: str,
    description: str,
) -> dg.ScheduleDefinition:
    """Return a schedule, off until switched on, that starts a job if DVC would run something."""

    @dg.schedule(
        name=name,
        job=job,
        cron_schedule=cron,
        execution_timezone=timezone,
        description=description,
    )
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        found = Repository(root).changes(stages)
        if not found:
            return dg.SkipReason(f"nothing to do: none of {', '.join(stages)} changed")
        why = "; ".join(f"{change.stage}: {', '.join(change.reasons[:3])}" for change in found)
        return dg.RunRequest(tags={"dvc/changed": why[:250]})

    return tick


def _digest(content: Mapping[str, str]) -> str:
    text = json.dumps(content, sort_keys=True)
    return md5(text.encode(), usedforsecurity=False).hexdigest()
