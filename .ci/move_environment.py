"""Mends a virtual environment that was moved or copied; `make env` runs it.

Scripts of an environment name their interpreter by its path. In another folder they do not start,
or, where the old folder is still there, run its code. Nothing is downloaded.
"""

import re
import shlex
import sys
import venv
from pathlib import Path

# A plain first line, or what pip writes for a path that has a space or is long.
_HEAD = re.compile(rb"#!(?:/bin/sh\n'''exec' [^\n]*\n' '''|[^\n]*python[^\n]*)\n")
_LONGEST = 127  # what Linux reads of a first line


def mend_environment(folder: Path) -> list[str]:
    """Make activation, configuration and scripts name the folder; return the scripts changed."""
    folder = folder.resolve()
    venv.EnvBuilder(symlinks=True).create(folder)
    changed = []
    for script in sorted((folder / "bin").iterdir()):
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        mended = _HEAD.sub(lambda _: script_head(folder / "bin" / "python"), content, count=1)
        if _HEAD.match(content) and mended != content:
            temporary = script.with_name(f".{script.name}.tmp")
            temporary.write_bytes(mended)
            temporary.chmod(script.stat().st_mode)
            temporary.replace(script)
            changed.append(script.name)
    return changed


def script_head(python: Path) -> bytes:
    """Return the first lines of a Python script that this interpreter is to run."""
    head = f"#!{python}\n"
    if " " in head or len(head) > _LONGEST:  # the shell's command is a string to Python
        head = f"#!/bin/sh\n'''exec' {shlex.quote(str(python))} \"$0\" \"$@\"\n' '''\n"
    return head.encode()


if __name__ == "__main__":
    names = mend_environment(Path(sys.argv[1]))
    sys.stdout.write(f"{len(names)} scripts mended\n")
