"""Jobs, schedules and sensors. They name stages; those that dvc.yaml does not have are left out.

Settings come from the environment when the definitions are loaded: SMAR_TIMEZONE (of the
schedules), SMAR_SETTLE_S (how long raw data has to keep still) and SMAR_DRIFT_COOLDOWN_H.
"""

import os
from collections.abc import Sequence

import dagster as dg

from dagster_dvc import open_repository
from dagster_dvc.manifest import Manifest
from dagster_dvc.sensors import (
    Job,
    build_schedule,
    build_source_sensor,
    build_verdict_sensor,
)
from orchestration.experiment import build_parameters_job
from orchestration.notice import build_failure_notice, build_news
from orchestration.pipeline import pipeline_component
from orchestration.project import ROOT
from orchestration.publish import build_publish_job, build_publish_sensor

REFRESH = ("ingest", "validate", "embed", "index", "promote")
MONITOR = ("drift",)


def _job(name: str, stages: Sequence[str], description: str, tags: dict[str, str]) -> Job:
    return dg.define_asset_job(
        name, selection=dg.AssetSelection.assets(*stages), description=description, tags=tags
    )


@dg.definitions
def defs(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Return the automation of the stages that dvc.yaml has."""
    manifest = open_repository(ROOT).manifest
    component = pipeline_component(context)
    translator = component.get_translator()
    stages = list(manifest.stages)
    refreshed = _present(manifest, REFRESH)
    monitored = _present(manifest, MONITOR)
    # Two runs that write the same outputs wait for each other in the queue (dagster.yaml).
    tags = {"smar/writes": "pipeline"}
    retrain = _job(
        "retrain", stages, "Every stage that something changed for, from data to release.", tags
    )
    refresh = _job(
        "refresh",
        refreshed,
        "The catalogue changed, the model is kept: new items are searchable.",
        tags,
    )
    jobs = [retrain, refresh]
    if monitored:
        jobs.append(_job("monitor", monitored, "The data now beside the release's.", {}))
    publish = build_publish_job(ROOT, tags)
    timezone = os.environ.get("SMAR_TIMEZONE", "UTC")
    schedules = [
        build_schedule(
            ROOT,
            refresh,
            refreshed,
            name="refresh_nightly",
            cron="30 2 * * *",
            timezone=timezone,
            description="New and changed items become searchable over night; the model is kept.",
        ),
        build_schedule(
            ROOT,
            retrain,
            stages,
            name="retrain_weekly",
            cron="0 4 * * 0",
            timezone=timezone,
            description="Everything that changed since last week, training included.",
        ),
    ]
    sensors: list[dg.SensorDefinition] = [
        build_source_sensor(
            ROOT,
            translator,
            retrain,
            hooks=component.get_hooks(),
            settle_s=float(os.environ.get("SMAR_SETTLE_S", "20")),
        ),
        build_verdict_sensor(
            ROOT,
            "reports/outcomes/drift.json",
            "verdict",
            {"refresh": refresh, "retrain": retrain},
            name="drift",
            cooldown_s=3600 * float(os.environ.get("SMAR_DRIFT_COOLDOWN_H", "24")),
        ),
        build_failure_notice(),
        build_news(),
        build_publish_sensor(publish, [retrain, refresh]),
    ]
    return dg.Definitions(
        jobs=[*jobs, publish, build_parameters_job(ROOT)], schedules=schedules, sensors=sensors
    )


def _present(manifest: Manifest, names: Sequence[str]) -> list[str]:
    return [name for name in names if name in manifest.stages]
