"""One asset per stage, one observable source per raw input."""

import inspect
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import dagster as dg

from dagster_dvc import names
from dagster_dvc.checks import build_checks
from dagster_dvc.hooks import NO_HOOKS, Hooks
from dagster_dvc.manifest import Source, Stage
from dagster_dvc.metadata import Reader
from dagster_dvc.partitions import Dates, dated_deps, partition_deps
from dagster_dvc.repository import Repository
from dagster_dvc.resources import DvcResource
from dagster_dvc.sync import observe
from dagster_dvc.translator import DvcTranslator
from dagster_dvc.versions import as_json

RETRIES = dg.RetryPolicy(
    max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)


# Dagster takes the plain class alone for the result of an asset with checks.
def _shape(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    raise NotImplementedError  # never called: its signature alone is used


# One for all stages: Dagster would work it out 16 times for each, a fifth of the time they take.
_SIGNATURE = inspect.signature(_shape)


def build_assets(
    repository: Repository,
    translator: DvcTranslator,
    readers: Sequence[Reader] = (),
    retries: dg.RetryPolicy = RETRIES,
    *,
    resource: str = "dvc",
    pools: Mapping[str, str] | None = None,
    hooks: Hooks = NO_HOOKS,
) -> list[dg.AssetsDefinition]:
    """Return the assets of a repository.

    Args:
        repository: The repository.
        translator: Names and shows stages and sources.
        readers: Read metadata that only the project understands.
        retries: What happens after a failure that is transient.
        resource: Key of the `DvcResource` that runs stages.
        pools: Glob pattern of stages -> Dagster's concurrency pool.
        hooks: What only the project can tell.
    """
    dates = translator.settings.dates
    manifest = repository.manifest
    keys = translator.names(manifest)
    members: dict[dg.AssetKey, list[Stage]] = {}
    for stage in translator.stages(manifest):
        members.setdefault(keys.stages[stage.name], []).append(stage)
    made: list[dg.AssetsDefinition] = []
    for key, stages in members.items():
        spec = translator.get_asset_spec(stages[0], repository)
        if translator.is_partitioned(stages[0]):
            items = dg.StaticPartitionsDefinition([stage.item for stage in stages])
            deps = partition_deps(stages, members, manifest, translator)
            is_own = spec.description == translator.get_description(
                stages[0]
            )  # not a translation's
            spec = spec.replace_attributes(
                partitions_def=items, deps=deps,
                description=_description_of(stages) if is_own else spec.description,
                metadata={**spec.metadata, **_metadata_of(stages)},
            )  # fmt: skip
        elif dates is not None and translator.is_dated(stages[0], manifest):
            spec = spec.replace_attributes(
                partitions_def=dates.definition(), deps=dated_deps(stages[0], manifest, translator)
            )
        pool = translator.pool_of(stages[0], pools or {})
        how = _Running(
            repository.root, translator, readers, retries, resource=resource, pool=pool,
            dates=dates, hooks=hooks,
        )  # fmt: skip
        made.append(_stage_asset(key, spec, stages, how))
    with warnings.catch_warnings():
        # Said once a source, to people who did not choose it.
        warnings.filterwarnings("ignore", message=".*multi_observable_source_asset.* in beta")
        return made + [
            _source_asset(source, repository, translator, hooks)
            for source in translator.sources(manifest)
        ]


def _description_of(stages: Sequence[Stage]) -> str:
    """Return what is shown of an asset of items: their `desc`, and which of them cannot run."""
    broken = [f"**Cannot run:** {stage.item}: {stage.problem}" for stage in stages if stage.problem]
    return "\n\n".join([*([stages[0].desc] if stages[0].desc else []), *broken])


def _metadata_of(stages: Sequence[Stage]) -> dict[str, Any]:
    """Return what is shown of an asset of items, where that of one item alone would mislead."""
    first = stages[0]
    name = first.name.removesuffix(f"@{first.item}")
    params: dict[str, dict[str, Any]] = {}
    for stage in stages:
        for file, values in stage.params.items():
            params.setdefault(file, {}).update(values)
    shown = {"dvc/stage": name, "dvc/outs": [out.path for one in stages for out in one.outs]}
    return shown | ({"dvc/params": as_json(params)} if params else {})


class _Running:
    """How the assets of a repository are run.

    Args:
        root: Root folder of the repository.
        translator: Names and shows stages and sources.
        readers: Read metadata that only the project understands.
        retries: What happens after a failure that is transient.
        resource: Key of the resource.
        pool: Dagster's concurrency pool, if any.
        dates: What a partition of a day sets.
        hooks: What only the project can tell.
    """

    def __init__(
        self,
        root: Path,
        translator: DvcTranslator,
        readers: Sequence[Reader],
        retries: dg.RetryPolicy,
        *,
        resource: str,
        pool: str | None,
        dates: Dates | None,
        hooks: Hooks,
    ) -> None:
        self.root, self.translator, self.readers, self.retries = root, translator, readers, retries
        self.resource, self.pool, self.dates, self.hooks = resource, pool, dates, hooks


def _stage_asset(
    key: dg.AssetKey, spec: dg.AssetSpec, stages: Sequence[Stage], how: _Running
) -> dg.AssetsDefinition:
    by_item = {stage.item: stage.name for stage in stages}
    is_by_item = isinstance(spec.partitions_def, dg.StaticPartitionsDefinition)
    sets = how.dates if spec.partitions_def is not None and not is_by_item else None
    tags = {"dvc/stage": "\n".join(by_item.values()), "dvc/root": str(how.root)}
    checks = build_checks(key, stages)

    def run(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        dvc = cast("DvcResource", getattr(context.resources, how.resource))
        stage = by_item[context.partition_key] if is_by_item else stages[0].name
        setting = sets.setting(context.partition_key) if sets else None
        return dvc.materialize(
            context, stage, how.translator, how.readers, setting, hooks=how.hooks
        )

    run.__signature__ = _SIGNATURE  # type: ignore[attr-defined]
    return dg.multi_asset(
        name=names.op_name(key.path),
        specs=[spec],
        retry_policy=how.retries,
        op_tags=tags,
        pool=how.pool,
        required_resource_keys={how.resource},
        check_specs=checks,
    )(run)


def _source_asset(
    source: Source, repository: Repository, translator: DvcTranslator, hooks: Hooks
) -> dg.AssetsDefinition:
    key = translator.names(repository.manifest).sources[source.path]
    description = f"Raw input `{source.path}`" + (
        f", tracked by `{source.tracked_by}`." if source.tracked_by else "."
    )

    @dg.multi_observable_source_asset(  # type: ignore[untyped-decorator]
        name=names.op_name(["observe", *key.path]),
        specs=[
            dg.AssetSpec(
                key,
                group_name=translator.settings.sources_group,
                description=description,
                kinds=set(translator.settings.kinds),
                metadata={"dvc/path": source.path},
            )
        ],
    )
    def look() -> dg.ObserveResult:
        version = repository.source_version(source)
        seen = observe(source, key, version, hooks.seen(repository.root, source))
        return dg.ObserveResult(
            asset_key=key, data_version=dg.DataVersion(version), metadata=seen.metadata
        )

    return cast("dg.AssetsDefinition", look)
