"""What can be said of stages and sources without writing a translator."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch

import dagster as dg

from dagster_dvc.errors import SettingsError
from dagster_dvc.manifest import Manifest, Stage
from dagster_dvc.partitions import Dates

_AUTOMATION = ("none", "changed")
_LEAST_HOURS = 1 / 60
Translation = Callable[[dg.AssetSpec, Stage], dg.AssetSpec]


@dataclass(frozen=True, kw_only=True)
class TranslatorSettings:
    """What can be said without writing a translator.

    Args:
        code: Glob patterns of dependencies that are code and become part of the code version; empty
            for files with the usual endings of source code.
        select: Glob patterns of stages that become assets; empty for all.
        exclude: Glob patterns of stages that do not.
        key_prefix: What every key starts with.
        groups: Asset group -> glob patterns of its stages (or of their foreach template).
        sources_group: Group of the raw inputs.
        kinds: Kinds shown on every stage; the last place is for what it writes.
        owners: Owners of every stage, such as "team:search".
        tags: Tags of every stage.
        automation: "none", or "changed": run a stage when what it reads has other data.
        freshness: Glob pattern of stages -> hours after which an asset is stale; Dagster warns.
        partitions: Templates (foreach and matrix stages) that become one asset with a partition for
            each item.
        dates: Stages that run once for every day, if any.
        translation: Last change of a spec, as components' YAML writes it.
    """

    code: Sequence[str] = ()
    select: Sequence[str] = ()
    exclude: Sequence[str] = ()
    key_prefix: Sequence[str] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sources_group: str = "sources"
    kinds: Sequence[str] = ("dvc",)
    owners: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    automation: str = "none"
    freshness: Mapping[str, float] = field(default_factory=dict)
    partitions: Sequence[str] = ()
    dates: Dates | None = None
    translation: Translation | None = None

    def __post_init__(self) -> None:
        """Refuse what means nothing.

        Raises:
            SettingsError: If `automation` is none of the known, or `freshness` is under a minute.
        """
        for pattern, hours in self.freshness.items():
            if hours < _LEAST_HOURS:
                raise SettingsError(
                    f"freshness: '{pattern}': {hours:g} hours; Dagster takes a minute at least: "
                    f"{_LEAST_HOURS:.4f} hours or more."
                )
        if self.automation not in _AUTOMATION:
            raise SettingsError(
                f"automation: '{self.automation}' is none of {', '.join(_AUTOMATION)}. Override "
                "`get_automation_condition` of the translator for a condition of your own."
            )


def matches(called: set[str], patterns: Sequence[str]) -> bool:
    """Return whether one of several names fits one of several glob patterns."""
    return any(name == p or fnmatch(name, p) for name in called for p in patterns)


def unmatched(patterns: Iterable[str], manifest: Manifest) -> list[str]:
    """Return the patterns that no stage and no template matches."""
    called = {name for stage in manifest.stages.values() for name in (stage.name, stage.template)}
    return [pattern for pattern in patterns if not matches(called - {""}, [pattern])]
