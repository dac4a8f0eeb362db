"""Files that were hashed once and that nobody wrote to since, as the file system tells.

Pictures of a million items are 15 GB: a stage that reads a few of them need not hash them all.
"""

import json
import time
from collections.abc import Iterable
from pathlib import Path

from smar.artifacts import write_json

YOUNG_NS = 2 * 10**9
"""A file changed so lately may change again without its time saying so."""


def tell_hashed(record: Path, files: Iterable[Path]) -> None:
    """Write down that files are what they were when they were hashed last.

    Args:
        record: Where that is written, JSON.
        files: The files, by names of their own; links to them are the same files.
    """
    now_ns = time.time_ns()
    facts = {file.name: _facts_of(file) for file in files}
    write_json(record, {name: told for name, told in facts.items() if told[-1] < now_ns - YOUNG_NS})


def unwritten(record: Path, folder: Path) -> frozenset[str]:
    """Return the names of those files of a folder that nobody wrote to since `tell_hashed`.

    A file that was replaced, or that is a copy, is not among them. None are where nothing was told.

    Raises:
        ValueError: If the record is damaged.
    """
    try:
        told = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return frozenset()
    found = ((name, folder / name) for name in told)
    return frozenset(
        name for name, file in found if file.is_file() and _facts_of(file) == told[name]
    )


def _facts_of(file: Path) -> list[int]:
    """Return what changes when somebody writes to a file, and not when a link to it goes."""
    facts = file.stat()
    return [facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns]
