"""Partitions: the items of a foreach or matrix stage, and the days of a parameter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from dagster_dvc.errors import SettingsError
from dagster_dvc.manifest import Manifest, Stage

if TYPE_CHECKING:
    from dagster_dvc.translator import DvcTranslator


@dataclass(frozen=True, kw_only=True)
class Dates:
    """A parameter that holds a date, and the days there are.

    A partition's run writes its day into the file of parameters before DVC runs the stage, as
    `dvc exp run -S` would; a day that ran before comes from DVC's run cache.

    Args:
        param: The parameter, such as "params.yaml:run.date"; without a file one of params.yaml.
        start: First day, such as "2026-01-01".
        end: Last day, "" for today.
        timezone: In which a day ends.
    """

    param: str
    start: str
    end: str = ""
    timezone: str = "UTC"

    @property
    def file(self) -> str:
        """Return the file of parameters."""
        file, found, _ = self.param.rpartition(":")
        return file if found else "params.yaml"

    @property
    def name(self) -> str:
        """Return the parameter's name."""
        return self.param.rpartition(":")[2]

    def definition(self) -> dg.DailyPartitionsDefinition:
        """Return the days as Dagster's partitions."""
        return dg.DailyPartitionsDefinition(
            start_date=self.start, end_date=self.end or None, timezone=self.timezone
        )

    def setting(self, day: str) -> tuple[str, str, str]:
        """Return the file, the parameter and the value that a partition stands for."""
        return self.file, self.name, day


def stages_of_days(dates: Dates | None, manifest: Manifest) -> set[str]:
    """Return the stages that run once a day: those that take the parameter, and what follows them.

    Raises:
        SettingsError: If no stage takes it.
    """
    if dates is None:
        return set()
    found: set[str] = set()
    for stage in manifest.stages.values():  # each after what it reads
        takes = any(
            dates.name == key or dates.name.startswith(f"{key}.")
            for key in stage.params.get(dates.file, {})
        )
        if takes or found & set(stage.upstream):
            found.add(stage.name)
    if not found:
        raise SettingsError(
            f"dates: no stage takes the parameter '{dates.param}'. Name one that stands under "
            "`params` of a stage, as 'file:key'; `dvc params diff --all` lists them."
        )
    return found


def day_of(dates: Dates, stage: Stage, manifest: Manifest) -> str:
    """Return the day that dvc.lock has for a stage, "" if none or one that is no partition."""
    if stage.lock is None:
        return ""
    for key, value in stage.lock.params.get(dates.file, {}).items():
        found = value
        inner = dates.name[len(key) + 1 :] if dates.name.startswith(f"{key}.") else ""
        if key != dates.name and not inner:
            continue
        for part in inner.split(".") if inner else []:
            found = found.get(part) if isinstance(found, Mapping) else None
        day = str(found)
        return day if dates.definition().has_partition_key(day) else ""
    days = {day_of(dates, manifest.stages[name], manifest) for name in stage.upstream} - {""}
    return days.pop() if len(days) == 1 else ""


def partition_deps(
    stages: Sequence[Stage],
    members: Mapping[dg.AssetKey, Sequence[Stage]],
    manifest: Manifest,
    translator: "DvcTranslator",
) -> list[dg.AssetDep]:
    """Return what an asset of items reads, item by item where that is partitioned as well."""
    keys = translator.names(manifest)
    pairs: dict[dg.AssetKey, dict[str, list[str]]] = {}
    plain: list[dg.AssetKey] = []
    for stage in stages:
        for name in stage.upstream:
            above = manifest.stages[name]
            key = keys.stages[name]
            if translator.is_partitioned(above) and key in members:
                pairs.setdefault(key, {}).setdefault(above.item, []).append(stage.item)
            else:
                plain.append(key)
        plain += [keys.sources[s.path] for s in translator.sources_of(stage, manifest)]
    own = keys.stages[stages[0].name]
    mapped = [
        dg.AssetDep(key, partition_mapping=dg.StaticPartitionMapping(items))
        for key, items in pairs.items()
        if key != own
    ]
    return [*mapped, *(dg.AssetDep(key) for key in dict.fromkeys(plain))]
