"""One asset per stage, one observable source per raw input."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import dagster as dg

from dagster_dvc.manifest import Manifest, Source, Stage
from dagster_dvc.metadata import Reader
from dagster_dvc.resources import DvcResource
from dagster_dvc.sync import observe
from dagster_dvc.translator import DvcTranslator, check_keys
from dagster_dvc.versions import Hasher, source_version

RETRIES = dg.RetryPolicy(
    max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)


def build_assets(
    manifest: Manifest,
    translator: DvcTranslator,
    readers: Sequence[Reader] = (),
    retries: dg.RetryPolicy = RETRIES,
) -> list[dg.AssetsDefinition]:
    """Return the assets of a repository; they need the resource `dvc` (a `DvcResource`).

    Raises:
        DuplicateError: If two of them would share a key.
    """
    check_keys(manifest, translator)
    hasher = Hasher(manifest.root)
    stages = manifest.stages.values()
    hasher.read(dep for stage in stages for dep in stage.deps if translator.is_code(dep))
    made = [
        _stage_asset(stage, translator.get_asset_spec(stage, manifest, hasher), readers, translator,
                     retries)
        for stage in stages
    ]  # fmt: skip
    return made + [
        _source_asset(source, manifest.root, translator) for source in translator.sources(manifest)
    ]


def _stage_asset(
    stage: Stage,
    spec: dg.AssetSpec,
    readers: Sequence[Reader],
    translator: DvcTranslator,
    retries: dg.RetryPolicy,
) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=spec.key.to_python_identifier(),
        specs=[spec],
        retry_policy=retries,
        op_tags={"dvc/stage": stage.name},
    )
    def run(context: dg.AssetExecutionContext, dvc: DvcResource) -> dg.MaterializeResult[Any]:
        return dvc.materialize(context, stage.name, translator, readers)

    return run


def _source_asset(source: Source, root: Path, translator: DvcTranslator) -> dg.AssetsDefinition:
    key = translator.get_source_key(source)

    @dg.multi_observable_source_asset(  # type: ignore[untyped-decorator]
        name=f"observe_{key.to_python_identifier()}",
        specs=[
            dg.AssetSpec(
                key,
                group_name=translator.settings.sources_group,
                description=f"Raw input `{source.path}`"
                + (f", tracked by `{source.tracked_by}`." if source.tracked_by else "."),
                kinds=set(translator.settings.kinds),
            )
        ],
    )
    def look() -> dg.ObserveResult:
        version = source_version(source, Hasher(root))
        seen = observe(source, translator, version)
        return dg.ObserveResult(
            asset_key=key, data_version=dg.DataVersion(version), metadata=seen.metadata
        )

    return cast("dg.AssetsDefinition", look)
