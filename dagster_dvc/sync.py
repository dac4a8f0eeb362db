"""Dagster's record of a stage, held against dvc.lock."""

from collections.abc import Iterator

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

from dagster_dvc.manifest import Lock, Manifest, Source, Stage
from dagster_dvc.translator import DvcTranslator
from dagster_dvc.versions import (
    Hasher,
    data_version,
    input_version,
    recorded_code_version,
    recorded_source_version,
    source_version,
)

_OWN_TAGS = (CODE_VERSION_TAG, DATA_VERSION_TAG)


def version_tags(
    stage: Stage, lock: Lock, manifest: Manifest, translator: DvcTranslator
) -> dict[str, str]:
    """Return the tags of a materialisation that say exactly what dvc.lock says.

    They replace those Dagster would guess from the order of its events.
    """
    tags = {
        CODE_VERSION_TAG: recorded_code_version(stage, lock, translator.is_code),
        DATA_VERSION_TAG: data_version(stage, lock, manifest),
        DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
    }
    inputs = {
        translator.get_asset_key(manifest.stages[name]): input_version(
            stage, lock, manifest.stages[name], manifest
        )
        for name in stage.upstream
    } | {
        translator.get_source_key(source): recorded_source_version(lock, source)
        for source in translator.sources_of(stage, manifest)
    }
    for key, version in inputs.items():
        tags[get_input_data_version_tag(key)] = version
        tags[get_input_event_pointer_tag(key)] = NULL_EVENT_POINTER
    return tags


def unreported_stages(
    instance: dg.DagsterInstance, manifest: Manifest, translator: DvcTranslator
) -> Iterator[tuple[Stage, Lock, dict[str, str]]]:
    """Yield the stages whose last run Dagster does not know, with the tags to report."""
    keys = {name: translator.get_asset_key(stage) for name, stage in manifest.stages.items()}
    events = instance.get_latest_materialization_events(list(keys.values()))
    for name, stage in manifest.stages.items():
        if stage.lock is None:
            continue
        tags = version_tags(stage, stage.lock, manifest, translator)
        event = events.get(keys[name])
        materialization = event.asset_materialization if event else None
        known = materialization.tags or {} if materialization else {}
        if any(known.get(tag) != tags[tag] for tag in _OWN_TAGS) or any(
            known.get(tag) != version for tag, version in _inputs_seen(stage, manifest, translator)
        ):
            yield stage, stage.lock, tags


def _inputs_seen(
    stage: Stage, manifest: Manifest, translator: DvcTranslator
) -> Iterator[tuple[str, str]]:
    """Yield the input versions of stages above whose present outputs are those that were read.

    Where they are not, the stage is stale, and it stays so whatever Dagster has on record.
    """
    for name in stage.upstream:
        upstream = manifest.stages[name]
        if stage.lock and upstream.lock:
            version = input_version(stage, stage.lock, upstream, manifest)
            if version == data_version(upstream, upstream.lock, manifest):
                yield get_input_data_version_tag(translator.get_asset_key(upstream)), version


def unobserved_sources(
    instance: dg.DagsterInstance, manifest: Manifest, translator: DvcTranslator, hasher: Hasher
) -> Iterator[dg.AssetObservation]:
    """Yield an observation of every raw input that is not as Dagster last saw it."""
    for source in translator.sources(manifest):
        observation = observe(source, translator, source_version(source, hasher))
        if observed_version(instance, observation.asset_key) != observation.tags[DATA_VERSION_TAG]:
            yield observation


def observe(source: Source, translator: DvcTranslator, version: str) -> dg.AssetObservation:
    """Return the observation that a raw input has a version."""
    return dg.AssetObservation(
        translator.get_source_key(source),
        metadata={"path": source.path, "md5": version},
        tags={DATA_VERSION_TAG: version, DATA_VERSION_IS_USER_PROVIDED_TAG: "true"},
    )


def observed_version(instance: dg.DagsterInstance, key: dg.AssetKey) -> str | None:
    """Return the version of a raw input that Dagster last saw."""
    records = instance.fetch_observations(key, limit=1).records
    observation = records[0].asset_observation if records else None
    return (observation.tags or {}).get(DATA_VERSION_TAG) if observation else None
