"""Engines that a release can leave for: a file for each, which says all about it.

A target has `write(export, folder)`, which makes the engine's own files in a new folder from a
complete export, and nothing else. Its docstring is what a reader of the folder is told. Scripts
that are shipped are these files themselves: they import the engine's client and nothing of smar.
"""

import importlib
from pathlib import Path
from typing import Protocol, cast

from smar.errors import ExportError, near_match


class Target(Protocol):
    """What a target's file has."""

    def write(self, export: Path, folder: Path) -> None:
        """Write an engine's files into a new folder, from a complete export."""


def names() -> list[str]:
    """Return the names of all targets."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def load_target(name: str) -> Target:
    """Return a target.

    Raises:
        ExportError: If there is none of this name.
    """
    if name not in names():
        raise ExportError(
            f"there is no target '{name}'; there are {', '.join(names())}."
            f"{near_match(name, names())}"
        )
    return cast("Target", importlib.import_module(f"{__name__}.{name}"))
