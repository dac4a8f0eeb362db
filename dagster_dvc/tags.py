"""What a materialisation is tagged with, so that Dagster shows as stale what DVC would run.

Dagster compares the tags with what is on record of an asset's inputs: of a plain asset its data
version, of one with partitions whether an event with other data came after the one pointed to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import md5
from types import MappingProxyType

import dagster as dg

from dagster_dvc.manifest import Lock, Stage
from dagster_dvc.private import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    DEFAULT_DATA_VERSION,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster_dvc.repository import Repository
from dagster_dvc.translator import DvcTranslator
from dagster_dvc.versions import data_version, input_version, recorded_source_version


@dataclass(frozen=True, kw_only=True)
class Read:
    """What the last run of a stage read from another asset.

    Args:
        version: The data version that it saw; of several stages that are one asset, of them all.
        is_current: Whether that is what is there now.
    """

    version: str
    is_current: bool


def reads(
    stage: Stage,
    lock: Lock,
    repository: Repository,
    translator: DvcTranslator,
    forgotten: Mapping[str, str] = MappingProxyType({}),
) -> dict[dg.AssetKey, Read]:
    """Return what a stage read, by asset.

    Inputs that only other items of its template read are as they are now, for they are inputs of
    the one asset of all items.

    Args:
        stage: The stage.
        lock: What dvc.lock says of it.
        repository: The repository.
        translator: Names stages and sources.
        forgotten: Versions that Dagster has on record, by stage that dvc.lock does not know, such
            as one that has another name by now. That it is changed does not change its readers.
    """
    manifest, keys = repository.manifest, translator.names(repository.manifest)
    found = {
        keys.sources[source.path]: Read(
            version=recorded_source_version(lock, source), is_current=True
        )
        for source in translator.sources_of(stage, manifest)
    }
    seen: dict[dg.AssetKey, list[Read]] = {}
    for above in (manifest.stages[name] for name in stage.upstream):
        version, is_current = forgotten.get(above.name) or DEFAULT_DATA_VERSION.value, False
        if above.lock:
            version = input_version(stage, lock, above, manifest)
            is_current = version == data_version(above, above.lock, manifest)
        read = Read(version=version, is_current=is_current)
        seen.setdefault(keys.stages[above.name], []).append(read)
    found |= {key: _together(several) for key, several in seen.items()}
    if translator.is_partitioned(stage):
        for key, version in _read_by_others(stage, repository, translator).items():
            found.setdefault(key, Read(version=version, is_current=True))
    found.pop(keys.stages[stage.name], None)  # an item may read another one
    return found


def _read_by_others(
    stage: Stage, repository: Repository, translator: DvcTranslator
) -> dict[dg.AssetKey, str]:
    """Return what the items of a template read, as it is now."""
    manifest, keys = repository.manifest, translator.names(repository.manifest)
    items = translator.items_of(stage, manifest)
    found = {}
    for source in (s for item in items for s in translator.sources_of(item, manifest)):
        found[keys.sources[source.path]] = repository.source_version(source)
    for above in (manifest.stages[name] for item in items for name in item.upstream):
        version = DEFAULT_DATA_VERSION.value
        if above.lock and not translator.has_partitions(above, manifest):
            version = data_version(above, above.lock, manifest)
        found[keys.stages[above.name]] = version
    return found


def _together(several: list[Read]) -> Read:
    if len(several) == 1:
        return several[0]
    text = "\n".join(read.version for read in several)
    return Read(
        version=md5(text.encode(), usedforsecurity=False).hexdigest(),
        is_current=all(read.is_current for read in several),
    )


def version_tags(
    stage: Stage,
    lock: Lock,
    repository: Repository,
    translator: DvcTranslator,
    inputs: Mapping[dg.AssetKey, Read],
) -> dict[str, str]:
    """Return the tags of a materialisation that say exactly what dvc.lock says.

    They replace those Dagster would guess from the order of its events.

    Args:
        stage: The stage.
        lock: What dvc.lock says of it.
        repository: The repository.
        translator: Names stages and sources.
        inputs: What it `reads`.
    """
    tags = {
        CODE_VERSION_TAG: translator.get_recorded_code_version(stage, lock, repository),
        DATA_VERSION_TAG: data_version(stage, lock, repository.manifest),
        DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
    }
    for key, read in inputs.items():
        tags[get_input_data_version_tag(key)] = read.version
        tags[get_input_event_pointer_tag(key)] = NULL_EVENT_POINTER
    return tags


def pointer_tags(
    instance: dg.DagsterInstance,
    stage: Stage,
    lock: Lock,
    repository: Repository,
    translator: DvcTranslator,
) -> dict[str, str]:
    """Return the tags that point to the newest event of each input with partitions.

    None where that event is not of what the stage read: DVC's status tells of it then.
    """
    manifest, keys = repository.manifest, translator.names(repository.manifest)
    places: dict[dg.AssetKey, list[int]] = {}
    for above in (manifest.stages[name] for name in stage.upstream):
        partition = translator.partition_of(above, manifest)
        if not partition or keys.stages[above.name] == keys.stages[stage.name]:
            continue
        version = input_version(stage, lock, above, manifest)
        event = latest(instance, keys.stages[above.name], partition)
        is_read = (
            event is not None and tags_of(event.event_log_entry).get(DATA_VERSION_TAG) == version
        )
        places.setdefault(keys.stages[above.name], []).append(
            event.storage_id if event is not None and is_read else 0
        )
    return {
        get_input_event_pointer_tag(key): str(max(found))
        for key, found in places.items()
        if all(found)
    }


def latest(
    instance: dg.DagsterInstance, key: dg.AssetKey, partition: str
) -> dg.EventLogRecord | None:
    """Return the last materialisation of a partition."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition]), limit=1
    ).records
    return found[0] if found else None


def tags_of(event: dg.EventLogEntry | None) -> dict[str, str]:
    """Return the tags of a materialisation, none if there is none."""
    materialization = event.asset_materialization if event else None
    return dict(materialization.tags or {}) if materialization else {}


def input_tags(keys: Iterable[str]) -> set[str]:
    """Return those of some tags that hold the version of an input."""
    start = get_input_data_version_tag(dg.AssetKey("x")).removesuffix("x")
    return {key for key in keys if key.startswith(start)}
