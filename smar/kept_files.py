"""Folders of files that are made once and kept by their content: the last ones used stay."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder, where it can be made: one process at a time makes what is kept there."""
    with suppress(OSError):  # no room, or a file system that may only be read
        folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):  # a file system without locks: what is made twice is the same
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def forget_unused(folder: Path, pattern: str, most: int) -> None:
    """Remove the files that were not used for long; who has one mapped goes on with it.

    Args:
        folder: Where they are kept.
        pattern: What they are called; whoever uses one touches it.
        most: How many stay.
    """
    used: list[tuple[float, Path]] = []
    for path in folder.glob(pattern):
        with suppress(FileNotFoundError):  # another process was faster
            used.append((path.stat().st_mtime, path))
    for _, path in sorted(used, reverse=True)[most:]:
        path.unlink(missing_ok=True)
