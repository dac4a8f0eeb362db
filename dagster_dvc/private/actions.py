"""What DVC does for the bridge: a command in this process, a parameter, entries of .gitignore."""

import logging
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from dagster_dvc.private.loaded import Loaded
from dagster_dvc.private.speed import quicken_this_process

# What DVC imports only when a stage is run, a third of what it takes over a small stage.
_LATE = ("dvc._debug", "dvc.commands.repro", "dvc.rwlock", "dvc.repo.open_repo",
         "dvc_data.hashfile.status", "fsspec.implementations.memory", "dulwich.index")  # fmt: skip
_ready: list[Any] = []  # DVC's parser of arguments, once it is made


def set_param(root: Path, file: str, name: str, value: str) -> None:
    """Write a parameter into its file as `dvc exp run -S` does, comments kept."""
    from dvc.utils.hydra import apply_overrides

    apply_overrides(str(root / file), [f"{name}='{value}'"])


def get_ready() -> None:
    """Import what a command needs and make DVC's parser, in a process that will be copied."""
    from dvc.cli import parser

    for name in _LATE:
        with suppress(ImportError):  # another version has it elsewhere: it is imported when needed
            import_module(name)
    if not _ready:
        _ready.append(parser.get_main_parser())


def run_command(arguments: list[str]) -> int:
    """Run a command of DVC in this process, which does nothing else; return its exit code."""
    import dvc.logger
    from dvc.cli import main, parser

    if _ready:
        parser.get_main_parser = lambda: _ready[0]
    for name in ("dvc", "dvc_objects", "dvc_data"):
        logging.getLogger(name).handlers.clear()  # of the process that this one is a copy of
    dvc.logger.setup(logging.INFO)
    quicken_this_process()
    return int(main(arguments))


def ignore_outputs(loaded: Iterable[Loaded]) -> dict[str, list[str]]:
    """Write the entries of .gitignore that running these stages would, in their order.

    A folder that is not there yet is the stage's to make: its entries are left to DVC. What these
    will be, in their order, is returned by the folder.
    """
    from dvc.exceptions import DvcException

    left: dict[str, list[str]] = {}
    for entry in loaded:
        for out in entry.stage.outs if entry.stage is not None and entry.cmd else []:
            if out.protocol != "local":
                continue
            if not Path(out.fs_path).parent.is_dir():
                left.setdefault(str(Path(out.fs_path).parent), []).append(Path(out.fs_path).name)
                continue
            with suppress(DvcException):  # such as a path that git tracks: DVC says so itself
                out.ignore()
    return left
