"""The order of entries in .gitignore: DVC's, whichever stage ends first.

A folder that a stage reads may hold a .gitignore, which is part of its hash. DVC adds an output's
entry when its stage ends; stages that end in another order would leave another file, and DVC would
see a changed folder.
"""

import os
from collections.abc import Sequence
from pathlib import Path


def put_in_order(file: Path, names: Sequence[str]) -> bool:
    """Bring the entries of a .gitignore that DVC wrote into an order; return whether it changed.

    Lines of others keep their places.

    Args:
        file: The .gitignore.
        names: Outputs in the folder, in the order of their stages.
    """
    if not file.is_file():
        return False
    lines = file.read_text(encoding="utf-8").splitlines()
    ranks = {name: rank for rank, name in enumerate(names)}
    own = [place for place, line in enumerate(lines) if _name(line) in ranks]
    ordered = sorted((lines[place] for place in own), key=lambda line: ranks[_name(line)])
    changed = list(lines)
    for place, line in zip(own, ordered, strict=True):
        changed[place] = line
    if changed == lines:
        return False
    written = file.with_name(f".gitignore.{os.getpid()}")
    written.write_text("".join(f"{line}\n" for line in changed), encoding="utf-8")
    written.replace(file)
    return True


def _name(line: str) -> str:
    """Return the output of an entry, in which DVC escapes blanks and the like."""
    return line.removeprefix("/").replace("\\", "")
