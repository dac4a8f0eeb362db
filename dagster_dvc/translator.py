"""What a stage is called and shown as in Dagster. Subclass it and override one method at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any

import dagster as dg

from dagster_dvc.errors import DuplicateError, list_problems
from dagster_dvc.manifest import Manifest, Source, Stage
from dagster_dvc.versions import Hasher, current_code_version

_CODE_SUFFIXES = frozenset(
    {
        *(".py", ".pyx", ".ipynb", ".r", ".jl", ".sh", ".sql", ".js", ".ts", ".c", ".cc", ".cpp"),
        *(".h", ".rs", ".go", ".java", ".j2", ".jinja", ".toml"),
    }
)


@dataclass(frozen=True, kw_only=True)
class TranslatorSettings:
    """What can be said without writing a translator.

    Args:
        code: Glob patterns of dependencies that are code and become part of the code version; empty
            for files with the usual endings of source code.
        groups: Asset group -> names of its stages (or of their foreach template).
        sources_group: Group of the raw inputs.
        kinds: Kinds shown on every stage; the last place is for what it writes.
        owners: Owners of every stage, such as "team:search".
        tags: Tags of every stage.
        automation: "none", or "changed": run a stage when what it reads has other data.
    """

    code: Sequence[str] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sources_group: str = "sources"
    kinds: Sequence[str] = ("dvc",)
    owners: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    automation: str = "none"


class DvcTranslator:
    """Stages and sources to asset specs.

    Args:
        settings: See `TranslatorSettings`.
    """

    def __init__(self, settings: TranslatorSettings | None = None) -> None:
        self.settings = settings or TranslatorSettings()

    def is_code(self, path: str) -> bool:
        """Return whether a dependency is code: part of the code version, no asset of its own."""
        if self.settings.code:
            return any(fnmatch(path, pattern) for pattern in self.settings.code)
        return PurePosixPath(path).suffix.lower() in _CODE_SUFFIXES

    def get_asset_key(self, stage: Stage) -> dg.AssetKey:
        """Return the key: folder of the dvc.yaml, then the name, "train@a" as train/a."""
        folders = PurePosixPath(stage.file).parent.parts
        return dg.AssetKey([*folders, *stage.local_name.split("@", 1)])

    def get_source_key(self, source: Source) -> dg.AssetKey:
        """Return the key of a raw input: its path."""
        return dg.AssetKey(list(PurePosixPath(source.path).parts))

    def get_group_name(self, stage: Stage) -> str | None:
        """Return the group; without one in the settings a foreach stage is its own group."""
        for group, names in self.settings.groups.items():
            if {stage.name, stage.template} & set(names):
                return group
        return stage.template or None

    def get_description(self, stage: Stage) -> str:
        """Return what is shown below the name: the stage's `desc` and its commands."""
        commands = "\n".join(stage.cmd)
        return "\n\n".join(part for part in (stage.desc, f"```sh\n{commands}\n```") if part)

    def get_kinds(self, stage: Stage) -> set[str]:
        """Return up to three kinds: the settings', and the main format written."""
        suffixes = [PurePosixPath(out.path).suffix[1:] for out in stage.outs if out.kind == "data"]
        return set([*self.settings.kinds, *dict.fromkeys(s for s in suffixes if s)][:3])

    def get_owners(self, stage: Stage) -> Sequence[str]:
        """Return the owners: `meta.owners` of the stage, else the settings'."""
        return list(stage.meta.get("owners", self.settings.owners))

    def get_tags(self, stage: Stage) -> Mapping[str, str]:
        """Return the tags; a frozen stage says so."""
        return dict(self.settings.tags) | ({"dvc/frozen": "true"} if stage.is_frozen else {})

    def get_automation_condition(self, stage: Stage) -> dg.AutomationCondition[Any] | None:
        """Return when Dagster shall run the stage by itself, None for never."""
        if self.settings.automation == "none":
            return None
        changed = dg.AutomationCondition.any_deps_match(
            dg.AutomationCondition.data_version_changed()
        )
        return (
            changed.since(dg.AutomationCondition.newly_requested())
            & ~dg.AutomationCondition.in_progress()
            & ~dg.AutomationCondition.any_deps_in_progress()
        )

    def get_metadata(self, stage: Stage, manifest: Manifest) -> Mapping[str, Any]:
        """Return what is shown on the asset whether or not it has run."""
        shown: dict[str, Any] = {"dvc/stage": stage.name, "dvc/file": stage.file}
        if stage.params:
            shown["dvc/params"] = {file: dict(values) for file, values in stage.params.items()}
        shown["dvc/outs"] = [out.path for out in stage.outs]
        return shown

    def sources_of(self, stage: Stage, manifest: Manifest) -> Iterator[Source]:
        """Yield the raw inputs that a stage reads and whose changes count."""
        for path, source in manifest.sources.items():
            if not stage.is_frozen and path in stage.deps and not self.is_code(path):
                yield source

    def get_deps(self, stage: Stage, manifest: Manifest) -> list[dg.AssetKey]:
        """Return the keys of what a stage reads."""
        stages = [self.get_asset_key(manifest.stages[name]) for name in stage.upstream]
        return stages + [self.get_source_key(s) for s in self.sources_of(stage, manifest)]

    def get_code_version(self, stage: Stage, hasher: Hasher) -> str:
        """Return the hash of commands, parameter values and code files as they are now."""
        return current_code_version(stage, self.is_code, hasher)

    def get_asset_spec(self, stage: Stage, manifest: Manifest, hasher: Hasher) -> dg.AssetSpec:
        """Return the spec, put together from the methods above."""
        return dg.AssetSpec(
            key=self.get_asset_key(stage),
            deps=self.get_deps(stage, manifest),
            description=self.get_description(stage),
            metadata=self.get_metadata(stage, manifest),
            group_name=self.get_group_name(stage),
            code_version=self.get_code_version(stage, hasher),
            automation_condition=self.get_automation_condition(stage),
            owners=self.get_owners(stage),
            tags=self.get_tags(stage),
            kinds=self.get_kinds(stage),
        )

    def sources(self, manifest: Manifest) -> list[Source]:
        """Return the raw inputs that become assets: whatever is not code."""
        return [source for path, source in manifest.sources.items() if not self.is_code(path)]


def check_keys(manifest: Manifest, translator: DvcTranslator) -> None:
    """Refuse two things with one asset key or one op name.

    Raises:
        DuplicateError: With every pair and the files they are written in.
    """
    claims: dict[str, list[str]] = {}
    for stage in manifest.stages.values():
        name = translator.get_asset_key(stage).to_python_identifier()
        claims.setdefault(name, []).append(f"stage {stage.name} of {stage.file}")
    for source in translator.sources(manifest):
        name = translator.get_source_key(source).to_python_identifier()
        claims.setdefault(name, []).append(f"input {source.tracked_by or source.path}")
    shared = [f"{key}: {', '.join(who)}" for key, who in claims.items() if len(who) > 1]
    if shared:
        headline = (
            f"{manifest.root}: several things would have one asset key; rename one in dvc.yaml, or "
            "override get_asset_key of the translator:"
        )
        raise DuplicateError(list_problems(headline, shared))
