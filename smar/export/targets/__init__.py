"""Engines that a release can leave for: a file for each, which says all about it.

A target is a script that is shipped as it is (`load` and `search` against a client's connection),
or it has `files`, which yields names and lines of the files to load and to paste. Its docstring is
what a reader of the folder is told. What is shipped imports nothing of smar but `reading.py` and
what engines share here, which are shipped too.
"""

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from smar.errors import ExportError, near_match

_SHIPPED = re.compile(r"^from (smar\.export\.(?:targets\.)?(\w+)) import", re.MULTILINE)


def names() -> list[str]:
    """Return the names of all targets."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def load_target(name: str) -> ModuleType:
    """Return the module of a target.

    Raises:
        ExportError: If there is none of this name.
    """
    if name not in names():
        raise ExportError(
            f"there is no target '{name}'; there are {', '.join(names())}."
            f"{near_match(name, names())}"
        )
    return importlib.import_module(f"{__name__}.{name}")


def write_target(name: str, export: Path, folder: Path) -> None:
    """Write an engine's own files into a new folder, from a complete export."""
    target = load_target(name)
    folder.mkdir()
    told = inspect.cleandoc(target.__doc__ or "")
    (folder / "README.md").write_text(f"{told}\n", encoding="utf-8")
    if hasattr(target, "search"):
        _ship(target, folder / "search.py")
    files: Iterator[tuple[str, Iterable[str]]] = getattr(target, "files", _no_files)(export)
    for file, lines in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        with (folder / file).open("w", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in lines)


def _ship(module: ModuleType, path: Path) -> None:
    """Write a module and those of this package that it imports, side by side."""
    source = inspect.getsource(module)
    path.write_text(_SHIPPED.sub(r"from \2 import", source), encoding="utf-8")
    for name, alone in _SHIPPED.findall(source):
        _ship(importlib.import_module(name), path.with_name(f"{alone}.py"))


def _no_files(_: Path) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield nothing: the script of a target is all that it has."""
    yield from ()
