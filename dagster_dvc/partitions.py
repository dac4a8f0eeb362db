"""Partitions: the items of a foreach or matrix stage, and the days of a parameter."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from dagster_dvc.errors import SettingsError
from dagster_dvc.manifest import Manifest, Stage
from dagster_dvc.versions import data_version, input_version

if TYPE_CHECKING:
    from dagster_dvc.translator import DvcTranslator

DAY = "{day}"


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

    def value_in(self, params: Mapping[str, Mapping[str, Any]]) -> str:
        """Return the value of the parameter among values by file and key, "" if it is not there."""
        for key, value in params.get(self.file, {}).items():
            found = value
            if key != self.name and not self.name.startswith(f"{key}."):
                continue
            for part in self.name[len(key) + 1 :].split(".") if key != self.name else []:
                found = found.get(part) if isinstance(found, Mapping) else None
            return "" if found is None else str(found)
        return ""

    def without(self, params: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return values by file and key without the parameter."""
        found = {file: dict(values) for file, values in params.items()}
        for key in [*found.get(self.file, {})]:
            if key == self.name:
                del found[self.file][key]
            elif self.name.startswith(f"{key}."):
                inner = self.name[len(key) + 1 :].split(".")
                found[self.file][key] = _left_out(found[self.file][key], inner)
        return found

    def setting(self, day: str) -> tuple[str, str, str]:
        """Return the file, the parameter and the value that a partition stands for."""
        return self.file, self.name, day


def _left_out(value: Any, parts: Sequence[str]) -> Any:
    """Return nested mappings without one entry."""
    if not isinstance(value, Mapping):
        return value
    if len(parts) == 1:
        return {key: inner for key, inner in value.items() if key != parts[0]}
    return {
        key: _left_out(inner, parts[1:]) if key == parts[0] else inner
        for key, inner in value.items()
    }


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
    """Return the day that dvc.lock has for a stage, "" if none or one that is no partition.

    A stage that does not take the parameter has the day of what it reads, once it has read it.
    """
    if stage.lock is None:
        return ""
    day = dates.value_in(stage.lock.params)
    if day:
        return day if dates.definition().has_partition_key(day) else ""
    days = set()
    for above in (manifest.stages[name] for name in stage.upstream):
        found = day_of(dates, above, manifest)
        if not found or above.lock is None:
            continue
        if input_version(stage, stage.lock, above, manifest) != data_version(
            above, above.lock, manifest
        ):
            return ""
        days.add(found)
    return days.pop() if len(days) == 1 else ""


def day_now(dates: Dates | None, manifest: Manifest) -> str:
    """Return the day that the file of parameters has, "" if no stage takes it."""
    if dates is None:
        return ""
    return next((d for s in manifest.stages.values() if (d := dates.value_in(s.params))), "")


def without_day(stage: Stage, dates: Dates, manifest: Manifest) -> Stage:
    """Return a stage without what differs from day to day: the parameter, and the day in its text.

    Of commands and paths the day is taken out only where the file of the stage writes it into them.
    """
    text = (manifest.root / stage.file).read_text(encoding="utf-8")
    is_written = re.search(rf"\$\{{\s*{re.escape(dates.name)}\b", text) is not None
    now = day_now(dates, manifest) if is_written else ""
    lock = stage.lock
    if lock is not None:
        before = day_of(dates, stage, manifest) if is_written else ""
        lock = replace(
            lock, cmd=_timeless(lock.cmd, before), params=dates.without(lock.params),
            deps=_timeless(lock.deps, before), outs=_timeless(lock.outs, before),
        )  # fmt: skip
    return replace(
        stage, cmd=_timeless(stage.cmd, now), params=dates.without(stage.params),
        deps=tuple(_timeless([*stage.deps], now)),
        outs=tuple(replace(out, path=_timeless(out.path, now)) for out in stage.outs), lock=lock,
    )  # fmt: skip


def _timeless(value: Any, day: str) -> Any:
    """Return text, a list of texts or a mapping by text, with `DAY` for a day."""
    if not day:
        return value
    if isinstance(value, str):
        return value.replace(day, DAY)
    if isinstance(value, Mapping):
        return {_timeless(key, day): inner for key, inner in value.items()}
    return [_timeless(inner, day) for inner in value]


def partition_deps(
    stages: Sequence[Stage],
    members: Mapping[dg.AssetKey, Sequence[Stage]],
    manifest: Manifest,
    translator: "DvcTranslator",
) -> list[dg.AssetDep]:
    """Return what an asset of items reads, item by item where that is partitioned as well."""
    keys = translator.names(manifest)
    pairs: dict[dg.AssetKey, dict[str, list[str]]] = {}
    plain: dict[dg.AssetKey, dg.AssetDep] = {}
    for stage in stages:
        for name in stage.upstream:
            above = manifest.stages[name]
            key = keys.stages[name]
            if translator.is_partitioned(above) and key in members:
                pairs.setdefault(key, {}).setdefault(above.item, []).append(stage.item)
            else:
                plain[key] = _whole(key, above, manifest, translator)
        for source in translator.sources_of(stage, manifest):
            plain[keys.sources[source.path]] = dg.AssetDep(keys.sources[source.path])
    own = keys.stages[stages[0].name]
    mapped = [
        dg.AssetDep(key, partition_mapping=dg.StaticPartitionMapping(items))
        for key, items in pairs.items()
        if key != own
    ]
    return [*mapped, *plain.values()]


def dated_deps(stage: Stage, manifest: Manifest, translator: "DvcTranslator") -> list[dg.AssetDep]:
    """Return what an asset of days reads: the same day of another one, else all there is."""
    keys = translator.names(manifest)
    found = {}
    for above in (manifest.stages[name] for name in stage.upstream):
        key = keys.stages[above.name]
        is_same = translator.is_dated(above, manifest) and not translator.is_partitioned(above)
        found[key] = dg.AssetDep(key) if is_same else _whole(key, above, manifest, translator)
    for source in translator.sources_of(stage, manifest):
        found[keys.sources[source.path]] = dg.AssetDep(keys.sources[source.path])
    return [*found.values()]


def _whole(
    key: dg.AssetKey, above: Stage, manifest: Manifest, translator: "DvcTranslator"
) -> dg.AssetDep:
    """Return that all partitions of an asset are read, if it has any."""
    if translator.has_partitions(above, manifest):
        return dg.AssetDep(key, partition_mapping=dg.AllPartitionMapping())
    return dg.AssetDep(key)
