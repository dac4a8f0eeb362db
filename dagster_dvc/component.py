"""A DVC repository as a Dagster component: point a defs.yaml at it, and its stages are assets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import dagster as dg

from dagster_dvc.assets import build_assets
from dagster_dvc.errors import DvcBridgeError
from dagster_dvc.executor import build_executor
from dagster_dvc.loading import load_once
from dagster_dvc.metadata import Reader
from dagster_dvc.resources import DvcResource
from dagster_dvc.sensors import build_sync_sensor
from dagster_dvc.translator import DvcTranslator, TranslatorSettings


@dataclass
class DvcProjectComponent(dg.Component, dg.Resolvable):
    """Assets of every stage of a DVC repository, observable sources of its raw inputs, and a sensor
    that reports what ran outside Dagster.

    Subclass it and override `get_translator` or `get_readers` where attributes do not suffice.

    Args:
        root: Root folder of the repository, relative to the defs.yaml.
        code: Glob patterns of dependencies that are code; empty for the usual endings.
        groups: Asset group -> stages.
        kinds: Kinds shown on every stage.
        owners: Owners of every stage.
        tags: Tags of every stage.
        automation: "none" or "changed".
        readers: Functions ("module:name") that read metadata only the project understands.
        reports_url: Where the root folder is served, for links to HTML reports.
        grace_s: Seconds a cancelled stage has to end by itself.
        max_concurrent: Stages and checks run side by side; 0 for one per processor.
        preload: Modules that the step processes share; those that are slow to import.
    """  # noqa: D205 - Dagster shows the first paragraph

    root: str
    code: Sequence[str] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    kinds: Sequence[str] = ("dvc",)
    owners: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    automation: str = "none"
    readers: Sequence[str] = ()
    reports_url: str = ""
    grace_s: float = 4.0
    max_concurrent: int = 0
    preload: Sequence[str] = ()

    def get_translator(self) -> DvcTranslator:
        """Return what names stages and sources."""
        return DvcTranslator(
            TranslatorSettings(
                code=self.code,
                groups=self.groups,
                kinds=self.kinds,
                owners=self.owners,
                tags=self.tags,
                automation=self.automation,
            )
        )

    def get_readers(self) -> list[Reader]:
        """Return the functions named by `readers`.

        Raises:
            DvcBridgeError: If one does not exist.
        """
        found = []
        for name in self.readers:
            module, _, function = name.partition(":")
            try:
                found.append(getattr(import_module(module), function))
            except (ImportError, AttributeError, ValueError) as error:
                raise DvcBridgeError(
                    f"defs.yaml: readers: '{name}' cannot be imported ({error}). Write it as "
                    "'package.module:function'."
                ) from error
        return found

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return assets, sources, the resource `dvc`, the sync sensor and the executor."""
        root = (context.path / self.root).resolve()
        manifest = load_once(root)
        translator, readers = self.get_translator(), self.get_readers()
        return dg.Definitions(
            assets=build_assets(manifest, translator, readers),
            resources={
                "dvc": DvcResource(
                    root=str(root), grace_s=self.grace_s, reports_url=self.reports_url
                )
            },
            sensors=[
                build_sync_sensor(root, translator, readers=readers, reports_url=self.reports_url)
            ],
            executor=self.get_executor(root),
        )

    def get_executor(self, root: Path) -> dg.ExecutorDefinition:
        """Return the executor: a process per step, forked from one that has done the imports.

        Where no stage changed all steps share one process.
        """
        preload = ["dagster", "dvc.repo", "dagster_dvc.resources", *self.preload]
        return build_executor(root, max_concurrent=self.max_concurrent, preload=preload)
