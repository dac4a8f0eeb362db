"""A DVC repository as a Dagster component: point a defs.yaml at it, and its stages are assets."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import dagster as dg

from dagster_dvc import names
from dagster_dvc.assets import RETRIES, build_assets
from dagster_dvc.executor import dvc_executor, say_how
from dagster_dvc.experiments import build_experiment_job, build_experiment_sensor
from dagster_dvc.hooks import Hooks, imported
from dagster_dvc.manifest import Manifest, Stage
from dagster_dvc.metadata import Reader
from dagster_dvc.partitions import Dates
from dagster_dvc.private import TranslationFn, TranslationFnResolver, keep_for_good, without_garbage
from dagster_dvc.repository import Repository, open_repository
from dagster_dvc.resources import TRANSIENT_EXITS, DvcResource
from dagster_dvc.scaffold import DvcProjectScaffolder
from dagster_dvc.sensors import build_sync_sensor
from dagster_dvc.settings import TranslatorSettings, unmatched
from dagster_dvc.translator import DvcTranslator

logger = logging.getLogger(__name__)


@dataclass
class Retries(dg.Resolvable):
    """What happens after a failure that is transient.

    Args:
        times: How often a stage is tried again.
        delay_s: Seconds before the first time; they double from one to the next.
    """

    times: int = 2
    delay_s: float = 10.0

    def policy(self) -> dg.RetryPolicy:
        """Return it as Dagster's."""
        return dg.RetryPolicy(
            max_retries=self.times,
            delay=self.delay_s,
            backoff=RETRIES.backoff,
            jitter=RETRIES.jitter,
        )


@dataclass
class DateOptions(dg.Resolvable):
    """Stages that run once for every day: see `partitions.Dates`.

    Args:
        param: The parameter that holds the day, "params.yaml:run.date".
        start: First day, "2026-01-01".
        end: Last day, "" for today.
        timezone: In which a day ends.
    """

    param: str
    start: str
    end: str = ""
    timezone: str = "UTC"


@dg.scaffold_with(DvcProjectScaffolder)
@dataclass
class DvcProjectComponent(dg.Component, dg.Resolvable):
    """Assets of every stage of a DVC repository, observable sources of its raw inputs, and a sensor
    that reports what ran outside Dagster.

    Subclass it and override `get_translator` or `get_readers` where attributes do not suffice.

    Args:
        root: Root folder of the repository, relative to the defs.yaml.
        name: Tells this repository from others of the code location, in the names of its resource,
            sensors and jobs; needed where there are several.
        select: Glob patterns of stages that become assets; empty for all.
        exclude: Glob patterns of stages that do not.
        key_prefix: What every asset key starts with.
        code: Glob patterns of dependencies that are code; empty for the usual endings.
        groups: Asset group -> glob patterns of stages.
        sources_group: Group of the raw inputs.
        kinds: Kinds shown on every stage.
        owners: Owners of every stage; `meta.owners` of a stage counts more.
        tags: Tags of every stage.
        translation: Templates over `stage` and `spec` for anything of a spec: key, group_name,
            description, tags, owners, metadata, automation_condition.
        automation: "none" or "changed".
        freshness: Glob pattern of stages -> hours after which an asset is stale.
        retries: How often, and after how long, a transient failure is tried again.
        transient_exits: Exit codes of stages after which it is worth trying again.
        pools: Glob pattern of stages -> concurrency pool.
        pull: Whether what a stage reads is pulled from DVC's remote if it is missing.
        push: Whether what a stage wrote is pushed to DVC's remote.
        partitions: Glob patterns of foreach and matrix stages that become one asset each, with a
            partition for every item.
        dates: Stages that run once for every day.
        experiments: Whether experiments of DVC are shown as runs, and can be started from one.
        readers: Functions ("module:name") that read metadata only the project understands.
        checkers: Functions ("module:name") that read what a stage found in its own work; they are
            asked where no step of a check runs: the stage failed, or ran outside of Dagster.
        observers: Functions ("module:name") that tell more of a raw input when it changed.
        taggers: Functions ("module:name") that give tags of a materialisation and its run.
        reports_url: Where the root folder is served, for links to HTML reports.
        grace_s: Seconds a cancelled stage has to end by itself.
        executor: Whether steps are run in the way that suits DVC; false where the code location has
            an executor of its own, of which Dagster takes one.
        max_concurrent: Stages and checks run side by side; 0 for one per processor.
        preload: Modules that the step processes share; those that are slow to import.
    """  # noqa: D205 - Dagster shows the first paragraph

    root: str
    name: str = ""
    select: Sequence[str] = ()
    exclude: Sequence[str] = ()
    key_prefix: Sequence[str] = ()
    code: Sequence[str] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sources_group: str = "sources"
    kinds: Sequence[str] = ("dvc",)
    owners: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    translation: (
        Annotated[
            TranslationFn[Stage],
            TranslationFnResolver[Stage](lambda stage: {"stage": stage}),
        ]
        | None
    ) = None
    automation: str = "none"
    freshness: Mapping[str, float] = field(default_factory=dict)
    retries: Retries = field(default_factory=Retries)
    transient_exits: Sequence[int] = TRANSIENT_EXITS
    pools: Mapping[str, str] = field(default_factory=dict)
    pull: bool = False
    push: bool = False
    partitions: Sequence[str] = ()
    dates: DateOptions | None = None
    experiments: bool = True
    readers: Sequence[str] = ()
    checkers: Sequence[str] = ()
    observers: Sequence[str] = ()
    taggers: Sequence[str] = ()
    reports_url: str = ""
    grace_s: float = 4.0
    executor: bool = True
    max_concurrent: int = 0
    preload: Sequence[str] = ()

    def get_translator(self) -> DvcTranslator:
        """Return what names stages and sources."""
        return DvcTranslator(
            TranslatorSettings(
                code=self.code,
                select=self.select,
                exclude=self.exclude,
                key_prefix=self.key_prefix,
                groups=self.groups,
                sources_group=self.sources_group,
                kinds=self.kinds,
                owners=self.owners,
                tags=self.tags,
                automation=self.automation,
                freshness=self.freshness,
                partitions=self.partitions,
                dates=Dates(**vars(self.dates)) if self.dates else None,
                translation=self.translation,
            )
        )

    def get_readers(self) -> list[Reader]:
        """Return the functions named by `readers`.

        Raises:
            SettingsError: If one does not exist.
        """
        return imported("readers", self.readers)

    def get_hooks(self) -> Hooks:
        """Return the functions named by `checkers`, `observers` and `taggers`.

        Raises:
            SettingsError: If one does not exist.
        """
        return Hooks(
            checkers=imported("checkers", self.checkers),
            observers=imported("observers", self.observers),
            taggers=imported("taggers", self.taggers),
        )

    def own(self, name: str) -> str:
        """Return a name that no other repository of the code location has."""
        return f"{name}_{names.group_name(self.name)}" if self.name else name

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return assets, sources, resource, sensors, the job of experiments and the executor."""
        return self.definitions((context.path / self.root).resolve())

    def definitions(self, root: Path) -> dg.Definitions:
        """Return the definitions of the repository at `root`, for code that loads no defs.yaml."""
        with without_garbage():
            made = self._definitions(root)
        keep_for_good(root)
        return made

    def _definitions(self, root: Path) -> dg.Definitions:
        repository = open_repository(root)
        translator, readers, hooks = self.get_translator(), self.get_readers(), self.get_hooks()
        self._tell_unmatched(repository.manifest)
        sensors = [
            build_sync_sensor(
                root, translator, name=self.own("dvc_sync"), readers=readers,
                reports_url=self.reports_url, hooks=hooks,
            )
        ]  # fmt: skip
        jobs = []
        if self.experiments and repository.manifest.stages:
            job = build_experiment_job(root, name=self.own("dvc_experiment"))
            jobs.append(job)
            sensors.append(build_experiment_sensor(root, job, name=self.own("dvc_experiments")))
        say_how(root, max_concurrent=self.max_concurrent, preload=self.preload)
        return dg.Definitions(
            assets=self._assets(repository, translator, readers, hooks),
            resources={
                self.own("dvc"): DvcResource(
                    root=str(root),
                    grace_s=self.grace_s,
                    transient_exits=list(self.transient_exits),
                    reports_url=self.reports_url,
                    is_pulled=self.pull,
                    is_pushed=self.push,
                )
            },
            sensors=sensors,
            jobs=jobs,
            executor=self.get_executor(),
        )

    def _tell_unmatched(self, manifest: Manifest) -> None:
        """Warn of patterns that no stage matches: a slip, or a stage that is gone since."""
        given = {
            "select": self.select,
            "exclude": self.exclude,
            "groups": [pattern for patterns in self.groups.values() for pattern in patterns],
            "freshness": self.freshness,
            "pools": self.pools,
            "partitions": self.partitions,
        }
        for attribute, patterns in given.items():
            for pattern in unmatched(patterns, manifest):
                logger.warning(
                    "%s: %s: '%s' matches no stage; there are: %s",
                    manifest.root, attribute, pattern, ", ".join(manifest.stages) or "none",
                )  # fmt: skip

    def _assets(
        self,
        repository: Repository,
        translator: DvcTranslator,
        readers: Sequence[Reader],
        hooks: Hooks,
    ) -> list[dg.AssetsDefinition]:
        return build_assets(
            repository,
            translator,
            readers,
            self.retries.policy(),
            resource=self.own("dvc"),
            pools=self.pools,
            hooks=hooks,
        )

    def get_executor(self) -> dg.ExecutorDefinition | None:
        """Return the executor: a process per step, a copy of one that has done the imports.

        Where no stage changed all steps share one process.
        """
        return dvc_executor if self.executor else None
