"""Dagster's record of a stage, held against dvc.lock."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import md5
from typing import Any

import dagster as dg

from dagster_dvc.hooks import NO_HOOKS, Hooks
from dagster_dvc.manifest import Lock, Source, Stage
from dagster_dvc.private import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    DEFAULT_DATA_VERSION,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
)
from dagster_dvc.repository import UNREACHABLE, Reason, Repository
from dagster_dvc.tags import Read, input_tags, latest, pointer_tags, reads, tags_of, version_tags
from dagster_dvc.translator import DvcTranslator
from dagster_dvc.versions import data_version, input_version, recorded_source_version

_FORGOTTEN = "not in dvc.lock"
_OWN_TAGS = (CODE_VERSION_TAG, DATA_VERSION_TAG)


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
    runnable = [s for s in translator.stages(manifest) if not s.problem]
    known = _known(instance, runnable, repository, translator)
    forgotten: dict[str, str] = {}
    for stage in runnable:
        tags = {} if stage.lock else known.get(stage.name, {})
        if not tags:
            continue
        forgotten[stage.name] = tags.get(DATA_VERSION_TAG, DEFAULT_DATA_VERSION.value)
        if tags.get(CODE_VERSION_TAG) != _FORGOTTEN:
            yield Unreported(
                stage=stage,
                tags=dict(tags) | {CODE_VERSION_TAG: _FORGOTTEN},
                reasons=(Reason(what="lock", state="dvc.lock does not know it"),),
            )
    for stage in runnable:
        if stage.lock is None or stage.name not in known:
            continue
        seen = reads(stage, stage.lock, repository, translator, forgotten)
        tags = version_tags(stage, stage.lock, repository, translator, seen)
        reasons = _untold(stage, stage.lock, repository, translator)
        if reasons:
            text = "; ".join(map(str, reasons))
            tags[CODE_VERSION_TAG] = f"changed {md5(text.encode()).hexdigest()}"  # noqa: S324
        # Of a day that is over DVC tells nothing: an event to point to is not left for later.
        pointers: dict[str, str] = {}
        if translator.is_dated(stage, manifest):
            pointers = pointer_tags(instance, stage, stage.lock, repository, translator)
        is_missing = any(known[stage.name].get(tag) == NULL_EVENT_POINTER for tag in pointers)
        if is_missing or _differs(known[stage.name], tags, seen):
            tags |= pointer_tags(instance, stage, stage.lock, repository, translator)
            yield Unreported(stage=stage, tags=tags, reasons=reasons)


def _known(
    instance: dg.DagsterInstance,
    stages: Iterable[Stage],
    repository: Repository,
    translator: DvcTranslator,
) -> dict[str, Mapping[str, str]]:
    """Return the tags that Dagster has on record, by stage; none where it has no record.

    A stage that runs once a day is left out where the day of its last run is not known.
    """
    manifest, keys = repository.manifest, translator.names(repository.manifest).stages
    apart = {s.name: translator.partition_of(s, manifest) for s in stages
             if translator.has_partitions(s, manifest)}  # fmt: skip
    plain = [stage for stage in stages if stage.name not in apart]
    events = instance.get_latest_materialization_events([keys[stage.name] for stage in plain])
    found: dict[str, Mapping[str, str]] = {s.name: tags_of(events.get(keys[s.name])) for s in plain}
    for name, partition in apart.items():
        if partition:
            record = latest(instance, keys[name], partition)
            found[name] = tags_of(record.event_log_entry if record else None)
    return found


def _untold(
    stage: Stage, lock: Lock, repository: Repository, translator: DvcTranslator
) -> tuple[Reason, ...]:
    """Return why DVC would run a stage, if Dagster does not see it from versions.

    Of one that runs once a day nothing where another day stands in the file of parameters: that DVC
    would run that one is no fault of the last.
    """
    manifest = repository.manifest
    if translator.is_partitioned(stage):  # what the versions of all items are is the same text
        return tuple(repository.reasons(stage))
    if translator.has_partitions(stage, manifest) and translator.partition_of(
        stage, manifest
    ) != translator.day(manifest):
        return ()
    reasons = tuple(repository.reasons(stage))
    return () if reasons and _is_seen(stage, lock, repository, translator) else reasons


def _is_seen(stage: Stage, lock: Lock, repository: Repository, translator: DvcTranslator) -> bool:
    """Return whether Dagster itself would show a stage as stale, from versions."""
    manifest = repository.manifest
    if translator.get_code_version(stage, repository) != translator.get_recorded_code_version(
        stage, lock, repository
    ):
        return True
    if any(
        recorded_source_version(lock, source) != repository.source_version(source)
        for source in translator.sources_of(stage, manifest)
    ):
        return True
    return any(
        above.lock is not None
        and not translator.has_partitions(above, manifest)
        and input_version(stage, lock, above, manifest) != data_version(above, above.lock, manifest)
        for above in (manifest.stages[name] for name in stage.upstream)
    )


def _differs(
    known: Mapping[str, str], tags: Mapping[str, str], seen: Mapping[dg.AssetKey, Read]
) -> bool:
    """Return whether Dagster has other tags on record.

    An input that is not what was read leaves the stage stale, whatever is on record of it.
    """
    current = [get_input_data_version_tag(key) for key, read in seen.items() if read.is_current]
    return any(known.get(tag) != tags[tag] for tag in [*_OWN_TAGS, *current]) or input_tags(
        known
    ) != input_tags(tags)


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
