"""What DVC does for the bridge: a command in this process, a parameter, entries of .gitignore."""

import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from dagster_dvc.private.loaded import Loaded
from dagster_dvc.private.speed import quicken_this_process


def set_param(root: Path, file: str, name: str, value: str) -> None:
    """Write a parameter into its file as `dvc exp run -S` does, comments kept."""
    from dvc.utils.hydra import apply_overrides

    apply_overrides(str(root / file), [f"{name}='{value}'"])


def run_command(arguments: list[str]) -> int:
    """Run a command of DVC in this process, which does nothing else; return its exit code."""
    import dvc.logger
    from dvc.cli import main

    for name in ("dvc", "dvc_objects", "dvc_data"):
        logging.getLogger(name).handlers.clear()  # of the process that this one is a copy of
    dvc.logger.setup(logging.INFO)
    quicken_this_process()
    return int(main(arguments))


def ignore_outputs(loaded: Iterable[Loaded]) -> None:
    """Write the entries of .gitignore that running these stages would, in their order.

    A folder that is not there yet is the stage's to make: its entries are left to DVC.
    """
    from dvc.exceptions import DvcException

    for entry in loaded:
        for out in entry.stage.outs if entry.stage is not None and entry.cmd else []:
            if out.protocol == "local" and Path(out.fs_path).parent.is_dir():
                with suppress(DvcException):  # such as a path that git tracks: DVC says so itself
                    out.ignore()
