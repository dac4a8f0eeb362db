"""What a stage is called and shown as in Dagster. Subclass it and override one method at a time."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any

import dagster as dg

from dagster_dvc import names
from dagster_dvc.errors import SettingsError
from dagster_dvc.keys import Names, settle
from dagster_dvc.manifest import Lock, Manifest, Source, Stage
from dagster_dvc.partitions import DAY, day_now, day_of, stages_of_days, without_day
from dagster_dvc.repository import Repository
from dagster_dvc.settings import TranslatorSettings, matches
from dagster_dvc.versions import IsCode, as_json, current_code_version, recorded_code_version

_CODE_SUFFIXES = frozenset(
    {
        *(".py", ".pyx", ".ipynb", ".r", ".jl", ".sh", ".sql", ".js", ".ts", ".c", ".cc", ".cpp"),
        *(".h", ".rs", ".go", ".java", ".j2", ".jinja", ".toml"),
    }
)
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")


OF_ITEMS = "each item's own"


class DvcTranslator:
    """Stages and sources to asset specs.

    Args:
        settings: See `TranslatorSettings`.
    """

    def __init__(self, settings: TranslatorSettings | None = None) -> None:
        self.settings = settings or TranslatorSettings()
        self._names: tuple[object, Names] | None = None
        self._dated: tuple[object, set[str], str] | None = None

    def is_code(self, path: str) -> bool:
        """Return whether a dependency is code: part of the code version, no asset of its own."""
        if self.settings.code:
            return any(fnmatch(path, pattern) for pattern in self.settings.code)
        return "://" not in path and PurePosixPath(path).suffix.lower() in _CODE_SUFFIXES

    def is_selected(self, stage: Stage) -> bool:
        """Return whether a stage becomes an asset."""
        called = {stage.name, stage.template} - {""}
        return (not self.settings.select or matches(called, self.settings.select)) and not (
            matches(called, self.settings.exclude)
        )

    def is_partitioned(self, stage: Stage) -> bool:
        """Return whether a stage is a partition of its template's asset."""
        return bool(stage.template) and matches({stage.template}, self.settings.partitions)

    def items_of(self, stage: Stage, manifest: Manifest) -> Sequence[Stage]:
        """Return the stages that are partitions of a stage's asset, none of a plain one's."""
        if not self.is_partitioned(stage):
            return []
        return [one for one in manifest.items[stage.file, stage.template] if self.is_selected(one)]

    def is_dated(self, stage: Stage, manifest: Manifest) -> bool:
        """Return whether a stage runs once for every day."""
        return stage.name in self._of_days(manifest)[0]

    def day(self, manifest: Manifest) -> str:
        """Return the day that the file of parameters has, "" without days."""
        return self._of_days(manifest)[1]

    def _of_days(self, manifest: Manifest) -> tuple[set[str], str]:
        if self._dated is None or self._dated[0] is not manifest.sources:
            dates = self.settings.dates
            found = stages_of_days(dates, manifest), day_now(dates, manifest)
            self._dated = (manifest.sources, *found)
        return self._dated[1:]

    def has_partitions(self, stage: Stage, manifest: Manifest) -> bool:
        """Return whether a stage is a partition of its asset, or one a day."""
        return self.is_partitioned(stage) or self.is_dated(stage, manifest)

    def partition_of(self, stage: Stage, manifest: Manifest) -> str:
        """Return the partition that the last run of a stage made, "" if none or not known."""
        if self.is_partitioned(stage):
            return stage.item
        if self.settings.dates is not None and self.is_dated(stage, manifest):
            return day_of(self.settings.dates, stage, manifest)
        return ""

    def get_asset_key(self, stage: Stage) -> dg.AssetKey:
        """Return the key that a stage would have: folder, then the name, "train@a" as train/a.

        `names` settles what happens when two things want one key.
        """
        parts = list(PurePosixPath(stage.file).parent.parts)
        if stage.template:
            own = [stage.template]
            own += [] if self.is_partitioned(stage) else stage.item.split("/")
        else:
            own = [stage.local_name]
        return self._key([*parts, *own])

    def get_source_key(self, source: Source) -> dg.AssetKey:
        """Return the key that a raw input would have: its path."""
        return self._key(names.split_path(source.path))

    def _key(self, parts: Sequence[str]) -> dg.AssetKey:
        encoded = [names.encode(part) for part in parts]
        return dg.AssetKey([*self.settings.key_prefix, *encoded])

    def names(self, manifest: Manifest) -> Names:
        """Return the keys that the things of a repository have, each its own."""
        if self._names is None or self._names[0] is not manifest.sources:
            self._names = (manifest.sources, settle(self, manifest))
        return self._names[1]

    def translated(self, stage: Stage, key: dg.AssetKey) -> dg.AssetKey:
        """Return a key after the settings' translation."""
        if self.settings.translation is None:
            return key
        return self._translate(dg.AssetSpec(key), stage).key

    def _translate(self, spec: dg.AssetSpec, stage: Stage) -> dg.AssetSpec:
        """Return a spec after the settings' translation.

        Raises:
            SettingsError: If Dagster takes nothing that it makes of the stage.
        """
        assert self.settings.translation is not None  # noqa: S101 - the callers have looked
        try:
            return self.settings.translation(spec, stage)
        except dg.DagsterInvalidDefinitionError as error:
            raise SettingsError(
                f"{stage.file}: stage '{stage.local_name}': translation: {error} "
                "Change the template in defs.yaml."
            ) from error

    def get_group_name(self, stage: Stage) -> str | None:
        """Return the group; without one in the settings a foreach stage is its own group."""
        called = {stage.name, stage.template} - {""}
        for group, patterns in self.settings.groups.items():
            if matches(called, patterns):
                return group
        return names.group_name(stage.template) if stage.template else None

    def get_description(self, stage: Stage) -> str:
        """Return what is shown below the name: the stage's `desc` and its commands."""
        commands = "\n".join(stage.lines)
        problem = f"**Cannot run:** {stage.problem}" if stage.problem else ""
        return "\n\n".join(p for p in (problem, stage.desc, f"```sh\n{commands}\n```") if p)

    def get_kinds(self, stage: Stage) -> set[str]:
        """Return up to three kinds: the settings', and the main format written."""
        suffixes = [PurePosixPath(out.path).suffix[1:] for out in stage.outs if out.kind == "data"]
        plain = [s for s in suffixes if s and s == names.tag_value(s)]
        return set([*self.settings.kinds, *dict.fromkeys(plain)][:3])

    def get_owners(self, stage: Stage) -> Sequence[str]:
        """Return the owners: `meta.owners` of the stage (one or a list), else the settings'.

        Dagster knows addresses and teams: any other name is shown as a team.
        """
        owners = stage.meta.get("owners", self.settings.owners)
        if isinstance(owners, Mapping):
            owners = [*owners.values()]
        listed = list(owners) if isinstance(owners, list | tuple) else [owners] if owners else []
        return [
            o if _ADDRESS.fullmatch(o) or o.startswith("team:") else f"team:{o}"
            for o in map(str, listed)
            if o.removeprefix("team:")
        ]

    def get_tags(self, stage: Stage) -> Mapping[str, str]:
        """Return the tags; a frozen stage says so, and one that cannot run."""
        tags = dict(self.settings.tags)
        if stage.is_frozen:
            tags["dvc/frozen"] = "true"
        if stage.problem:
            tags["dvc/problem"] = "true"
        return tags

    def get_automation_condition(self, stage: Stage) -> dg.AutomationCondition[Any] | None:
        """Return when Dagster shall run the stage by itself, None for never."""
        if self.settings.automation == "none" or stage.problem:
            return None
        changed = dg.AutomationCondition.any_deps_match(
            dg.AutomationCondition.data_version_changed()
        )
        return (
            changed.since(dg.AutomationCondition.newly_requested())
            & dg.AutomationCondition.all_deps_blocking_checks_passed()
            & ~dg.AutomationCondition.in_progress()
            & ~dg.AutomationCondition.any_deps_in_progress()
        )

    def get_freshness_policy(self, stage: Stage) -> dg.FreshnessPolicy | None:
        """Return how old the asset may become, from the settings."""
        for pattern, hours in self.settings.freshness.items():
            if matches({stage.name, stage.template} - {""}, [pattern]):
                return dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=hours))
        return None

    def pool_of(self, stage: Stage, pools: Mapping[str, str]) -> str | None:
        """Return the concurrency pool of a stage, from glob patterns."""
        called = {stage.name, stage.template} - {""}
        return next((pool for pattern, pool in pools.items() if matches(called, [pattern])), None)

    def get_metadata(self, stage: Stage, manifest: Manifest) -> Mapping[str, Any]:
        """Return what is shown on the asset whether or not it has run."""
        shown: dict[str, Any] = {"dvc/stage": stage.name, "dvc/file": stage.file}
        if stage.params:
            params = {file: as_json(values) for file, values in stage.params.items()}
            shown["dvc/params"] = params
        shown["dvc/outs"] = [out.path for out in stage.outs]
        return shown

    def sources_of(self, stage: Stage, manifest: Manifest) -> Iterator[Source]:
        """Yield the raw inputs that a stage reads and whose changes count."""
        if stage.is_frozen:
            return
        for path in stage.deps:
            source = manifest.sources.get(path)
            if source is not None and self._is_asset(source, manifest):
                yield source

    def get_deps(self, stage: Stage, manifest: Manifest) -> list[dg.AssetKey]:
        """Return the keys of what a stage reads."""
        keys = self.names(manifest)
        stages = [keys.stages[name] for name in stage.upstream]
        found = stages + [keys.sources[s.path] for s in self.sources_of(stage, manifest)]
        return list(dict.fromkeys(found))

    def get_code_version(self, stage: Stage, repository: Repository) -> str:
        """Return the hash of commands, parameter values and code files as they are now.

        Dagster has one an asset: items have none of their own, days what they have in common.
        """
        if self.is_partitioned(stage):
            return OF_ITEMS
        stage, is_code = self._timeless(stage, repository.manifest)
        return current_code_version(stage, is_code, repository)

    def get_recorded_code_version(self, stage: Stage, lock: Lock, repository: Repository) -> str:
        """Return what `get_code_version` was when a stage last ran."""
        if self.is_partitioned(stage):
            return OF_ITEMS
        stage, is_code = self._timeless(stage, repository.manifest)
        return recorded_code_version(stage, stage.lock or lock, is_code)

    def _timeless(self, stage: Stage, manifest: Manifest) -> tuple[Stage, IsCode]:
        if self.settings.dates is None or not self.is_dated(stage, manifest):
            return stage, self.is_code
        found = without_day(stage, self.settings.dates, manifest)
        return found, lambda path: DAY not in path and self.is_code(path)

    def get_asset_spec(self, stage: Stage, repository: Repository) -> dg.AssetSpec:
        """Return the spec, put together from the methods above."""
        manifest = repository.manifest
        spec = dg.AssetSpec(
            key=self.names(manifest).stages[stage.name],
            deps=self.get_deps(stage, manifest),
            description=self.get_description(stage),
            metadata=self.get_metadata(stage, manifest),
            group_name=self.get_group_name(stage),
            code_version=self.get_code_version(stage, repository),
            automation_condition=self.get_automation_condition(stage),
            freshness_policy=self.get_freshness_policy(stage),
            owners=self.get_owners(stage),
            tags=self.get_tags(stage),
            kinds=self.get_kinds(stage),
        )
        if self.settings.translation is None:
            return spec
        translated = self._translate(spec, stage)
        return translated.replace_attributes(key=spec.key)

    def stages(self, manifest: Manifest) -> list[Stage]:
        """Return the stages that become assets."""
        return [stage for stage in manifest.stages.values() if self.is_selected(stage)]

    def sources(self, manifest: Manifest) -> list[Source]:
        """Return the raw inputs that become assets: what is not code and no file of one day."""
        return [one for one in manifest.sources.values() if self._is_asset(one, manifest)]

    def _is_asset(self, source: Source, manifest: Manifest) -> bool:
        day = self.day(manifest)
        return not self.is_code(source.path) and not (day and day in source.path)
