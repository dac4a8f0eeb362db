"""What only a project can tell of its stages and raw inputs, and the bridge passes on."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_dvc.errors import SettingsError
from dagster_dvc.manifest import Source, Stage

Checker = Callable[[Path, Stage, Collection[str]], Iterable[dg.AssetCheckResult]]
Observer = Callable[[Path, Source], Mapping[str, Any]]
Tagger = Callable[[Path, Stage], Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Functions of a project.

    Args:
        checkers: Called with the root, a stage and the paths that were brought back after it failed
            (none if it did not), for what the stage found in its own work. They are asked where no
            step of a check runs: the stage failed, or ran outside of Dagster.
        observers: Called with the root and a raw input for what to show of it when it changed.
        taggers: Called with the root and a stage for tags of its materialisation and of the run.
    """

    checkers: Sequence[Checker] = ()
    observers: Sequence[Observer] = ()
    taggers: Sequence[Tagger] = ()

    def results(
        self, root: Path, key: dg.AssetKey, stage: Stage, old: Collection[str] = ()
    ) -> Iterator[dg.AssetCheckResult]:
        """Yield what a stage found in its own work."""
        for checker in self.checkers:
            for result in checker(root, stage, old):
                yield result if result.asset_key else result._replace(asset_key=key)

    def seen(self, root: Path, source: Source) -> dict[str, Any]:
        """Return what is shown of a raw input."""
        shown: dict[str, Any] = {}
        for observer in self.observers:
            shown |= observer(root, source)
        return shown

    def tags(self, root: Path, stage: Stage) -> dict[str, str]:
        """Return the tags of a stage that has just been run."""
        found: dict[str, str] = {}
        for tagger in self.taggers:
            found |= tagger(root, stage)
        return found


NO_HOOKS = Hooks()


def imported(attribute: str, functions: Sequence[str]) -> list[Any]:
    """Return functions by their names.

    Raises:
        SettingsError: If one does not exist.
    """
    found = []
    for name in functions:
        module, _, function = name.partition(":")
        try:
            found.append(getattr(import_module(module), function))
        except (ImportError, AttributeError, ValueError) as error:
            raise SettingsError(
                f"defs.yaml: {attribute}: '{name}' cannot be imported ({error}). Write it as "
                "'package.module:function'."
            ) from error
    return found
