"""Folders of files that are made once and kept by their content: the last ones used stay."""

from contextlib import suppress
from pathlib import Path


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
