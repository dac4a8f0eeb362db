"""Dagster's record of a stage, held against dvc.lock."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import md5
from typing import Any

import dagster as dg

from dagster_dvc.hooks import NO_HOOKS, Hooks
from dagster_dvc.manifest import Lock, Manifest, Source, Stage
from dagster_dvc.private import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    DEFAULT_DATA_VERSION,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster_dvc.repository import UNREACHABLE, Reason, Repository
from dagster_dvc.translator import DvcTranslator
from dagster_dvc.versions import (
    data_version,
    input_version,
    recorded_code_version,
    recorded_source_version,
)

_FORGOTTEN = "not in dvc.lock"
_OWN_TAGS = (CODE_VERSION_TAG, DATA_VERSION_TAG)


def version_tags(
    stage: Stage,
    lock: Lock,
    manifest: Manifest,
    translator: DvcTranslator,
    forgotten: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the tags of a materialisation that say exactly what dvc.lock says.

    They replace those Dagster would guess from the order of its events.

    Args:
        stage: The stage.
        lock: What dvc.lock says of it.
        manifest: The repository.
        translator: Names stages and sources.
        forgotten: Versions that Dagster has on record, by stage that dvc.lock does not know, such
            as one that has another name by now. That it is changed does not change its readers.
    """
    tags = {
        CODE_VERSION_TAG: recorded_code_version(stage, lock, translator.is_code),
        DATA_VERSION_TAG: data_version(stage, lock, manifest),
        DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
    }
    keys = translator.names(manifest)
    inputs: dict[dg.AssetKey, str] = {
        keys.sources[source.path]: recorded_source_version(lock, source)
        for source in translator.sources_of(stage, manifest)
    }
    for name in stage.upstream:
        above = manifest.stages[name]
        if above.lock:
            version = input_version(stage, lock, above, manifest)
        else:
            version = (forgotten or {}).get(name, DEFAULT_DATA_VERSION.value)
        inputs[keys.stages[name]] = version
    for key, version in inputs.items():
        tags[get_input_data_version_tag(key)] = version
        tags[get_input_event_pointer_tag(key)] = NULL_EVENT_POINTER
    return tags


@dataclass(frozen=True, kw_only=True)
class Unreported:
    """What Dagster does not know of a stage.

    Args:
        stage: The stage.
        tags: The tags that say so.
        reasons: Why DVC would run it again, where Dagster cannot see that by itself.
    """

    stage: Stage
    tags: Mapping[str, str]
    reasons: tuple[Reason, ...] = ()


def unreported_stages(
    instance: dg.DagsterInstance, repository: Repository, translator: DvcTranslator
) -> Iterator[Unreported]:
    """Yield the stages whose state Dagster does not show, with the tags to report."""
    manifest = repository.manifest
    keys = translator.names(manifest).stages
    runnable = [s for s in translator.stages(manifest) if not s.problem]
    stages = [s for s in runnable if s.lock]
    apart = {
        s.name for s in runnable if translator.is_partitioned(s) or translator.is_dated(s, manifest)
    }
    plain = [keys[s.name] for s in runnable if s.name not in apart]
    events = instance.get_latest_materialization_events(plain)
    forgotten: dict[str, str] = {}
    for stage in runnable:
        known = {} if stage.lock or stage.name in apart else _tags_of(events.get(keys[stage.name]))
        if not known:
            continue
        forgotten[stage.name] = known.get(DATA_VERSION_TAG, DEFAULT_DATA_VERSION.value)
        if known.get(CODE_VERSION_TAG) != _FORGOTTEN:
            yield Unreported(
                stage=stage,
                tags=known | {CODE_VERSION_TAG: _FORGOTTEN},
                reasons=(Reason(what="lock", state="dvc.lock does not know it"),),
            )
    for stage in stages:
        assert stage.lock is not None  # noqa: S101 - chosen so above
        tags = version_tags(stage, stage.lock, manifest, translator, forgotten)
        reasons = tuple(repository.reasons(stage))
        if stage.name in apart:
            partition = translator.partition_of(stage, manifest)
            if not partition:
                continue
            reasons = ()
            known = _partition_tags(instance, keys[stage.name], partition)
        else:
            known = _tags_of(events.get(keys[stage.name]))
            if reasons and _is_seen(stage, stage.lock, repository, translator):
                reasons = ()
        if reasons:
            text = "; ".join(map(str, reasons))
            tags[CODE_VERSION_TAG] = f"changed {md5(text.encode()).hexdigest()}"  # noqa: S324
        if _differs(known, tags, stage, manifest, translator):
            yield Unreported(stage=stage, tags=tags, reasons=reasons)


def _tags_of(event: dg.EventLogEntry | None) -> dict[str, str]:
    """Return the tags of a materialisation, none if there is none."""
    materialization = event.asset_materialization if event else None
    return dict(materialization.tags or {}) if materialization else {}


def _partition_tags(instance: dg.DagsterInstance, key: dg.AssetKey, item: str) -> dict[str, str]:
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=[item]), limit=1
    ).records
    materialization = found[0].asset_materialization if found else None
    return dict(materialization.tags or {}) if materialization else {}


def _is_seen(stage: Stage, lock: Lock, repository: Repository, translator: DvcTranslator) -> bool:
    """Return whether Dagster itself would show a stage as stale, from versions."""
    manifest = repository.manifest
    if translator.get_code_version(stage, repository) != recorded_code_version(
        stage, lock, translator.is_code
    ):
        return True
    if any(
        recorded_source_version(lock, source) != repository.source_version(source)
        for source in translator.sources_of(stage, manifest)
    ):
        return True
    return any(
        above.lock is not None
        and input_version(stage, lock, above, manifest) != data_version(above, above.lock, manifest)
        for above in (manifest.stages[name] for name in stage.upstream)
    )


def _differs(
    known: Mapping[str, str],
    tags: Mapping[str, str],
    stage: Stage,
    manifest: Manifest,
    translator: DvcTranslator,
) -> bool:
    inputs = get_input_data_version_tag(dg.AssetKey("x")).removesuffix("x")
    seen = _inputs_seen(stage, manifest, translator)
    return (
        any(known.get(tag) != tags[tag] for tag in _OWN_TAGS)
        or any(known.get(tag) != version for tag, version in seen)
        or {t for t in known if t.startswith(inputs)} != {t for t in tags if t.startswith(inputs)}
    )


def _inputs_seen(
    stage: Stage, manifest: Manifest, translator: DvcTranslator
) -> Iterator[tuple[str, str]]:
    """Yield the versions of what was read: raw inputs, and stages whose outputs are still those.

    Where a stage's are not, this one is stale, and it stays so whatever Dagster has on record.
    """
    keys = translator.names(manifest).stages
    if stage.lock:
        for source in translator.sources_of(stage, manifest):
            key = translator.names(manifest).sources[source.path]
            yield get_input_data_version_tag(key), recorded_source_version(stage.lock, source)
    for name in stage.upstream:
        upstream = manifest.stages[name]
        if stage.lock and upstream.lock:
            version = input_version(stage, stage.lock, upstream, manifest)
            if version == data_version(upstream, upstream.lock, manifest):
                yield get_input_data_version_tag(keys[upstream.name]), version


def unobserved_sources(
    instance: dg.DagsterInstance,
    repository: Repository,
    translator: DvcTranslator,
    hooks: Hooks = NO_HOOKS,
) -> Iterator[dg.AssetObservation]:
    """Yield an observation of every raw input that is not as Dagster last saw it."""
    keys = translator.names(repository.manifest).sources
    for source in translator.sources(repository.manifest):
        version = repository.source_version(source)
        if version != UNREACHABLE and observed_version(instance, keys[source.path]) != version:
            shown = hooks.seen(repository.root, source)
            yield observe(source, keys[source.path], version, shown)


def observe(
    source: Source, key: dg.AssetKey, version: str, shown: Mapping[str, Any]
) -> dg.AssetObservation:
    """Return the observation that a raw input has a version, with what else is shown of it."""
    return dg.AssetObservation(
        key,
        metadata={"path": source.path, "md5": version} | dict(shown),
        tags={DATA_VERSION_TAG: version, DATA_VERSION_IS_USER_PROVIDED_TAG: "true"},
    )


def observed_version(instance: dg.DagsterInstance, key: dg.AssetKey) -> str | None:
    """Return the version of a raw input that Dagster last saw."""
    records = instance.fetch_observations(key, limit=1).records
    observation = records[0].asset_observation if records else None
    return (observation.tags or {}).get(DATA_VERSION_TAG) if observation else None
