"""The keys of everything in a repository, each its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from dagster_dvc import names
from dagster_dvc.manifest import Manifest

if TYPE_CHECKING:
    from dagster_dvc.translator import DvcTranslator


@dataclass(frozen=True, kw_only=True)
class Names:
    """The keys of everything in a repository, no two of which clash.

    Args:
        stages: Key by name of the stage.
        sources: Key by path.
    """

    stages: Mapping[str, dg.AssetKey]
    sources: Mapping[str, dg.AssetKey]


def settle(translator: "DvcTranslator", manifest: Manifest) -> Names:
    """Return the keys of a repository's stages and raw inputs: stages first, where two want one."""
    keys: dict[str, dg.AssetKey] = {}
    one: dict[str, str] = {}  # stages that are partitions of one asset want one key
    rank: dict[str, int] = {}
    for stage in manifest.stages.values():
        thing = f"stage {stage.name}"
        if translator.is_partitioned(stage):
            thing = f"template {stage.file}:{stage.template}"
        one[stage.name] = thing
        if thing not in keys:
            keys[thing] = translator.translated(stage, translator.get_asset_key(stage))
            rank[thing] = 1 if stage.template else 0
    for source in translator.sources(manifest):
        keys[f"source {source.path}"] = translator.get_source_key(source)
        rank[f"source {source.path}"] = 2
    found = names.settle({thing: tuple(key.path) for thing, key in keys.items()}, rank)
    return Names(
        stages={name: dg.AssetKey(list(found[thing])) for name, thing in one.items()},
        sources={
            source.path: dg.AssetKey(list(found[f"source {source.path}"]))
            for source in translator.sources(manifest)
        },
    )
