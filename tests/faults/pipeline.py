"""The whole pipeline in one process of its own, for tests that kill, starve or blind it.

Run with a project and the stages to run (none: all of them); prints one line per stage with its
exit code and, last, whether the release that is current still answers.
"""

import gc
import shutil
import sys
from pathlib import Path

from smar.cli import STAGES, main


def run(root: Path, stages: list[str]) -> None:
    """Run stages in order; a failed one ends the process with its exit code, as make would."""
    for stage in stages or list(STAGES):
        code = main([stage, "-q", "--root", str(root)])
        if code:
            sys.exit(code)


def ready() -> None:
    """Do nothing: for a process that is started so that the imports are done."""


def answer(root: Path) -> list[str]:
    """Return what the current release finds, by a process that knows nothing else."""
    from smar.service.retriever import Retriever

    return [hit.item_id for hit in Retriever.load(root, "current").search("red dress", 5)]


def starve(root: Path, way: str) -> None:
    """Break the file system below `root` before each stage and mend it after, in this process.

    `root` lies on a small tmpfs that only this process's mount namespace has. Every stage is made
    to run again under the fault, has to end with exit code 2 and a message, leaves the release
    searchable, and succeeds once the fault is mended.
    """
    import subprocess

    def mount(option: str) -> None:
        gc.collect()  # a removed file that a retriever of before still maps keeps it busy
        command = ["mount", "-o", f"remount,{option}", str(root.parent)]
        subprocess.run(command, check=True, capture_output=True)

    before = answer(root)
    for stage in STAGES:
        filler = root.parent / "filler"
        if way == "full":
            with filler.open("wb") as file:
                file.write(b"\0" * shutil.disk_usage(root).free)
        else:
            mount("ro")
        code = main([stage, "-q", "--root", str(root)])
        answered = answer(root) == before
        if way == "full":
            filler.unlink()
        else:
            mount("rw")
        mended = main([stage, "-q", "--root", str(root)])
        sys.stdout.write(f"RESULT {stage} {code} {answered} {mended}\n")
        before = answer(root)


if __name__ == "__main__":
    if sys.argv[1] in {"full", "readonly"}:
        starve(Path(sys.argv[2]), sys.argv[1])
    else:
        run(Path(sys.argv[1]), sys.argv[2:])
