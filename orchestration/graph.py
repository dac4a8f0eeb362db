"""The code dependencies of dvc.yaml, written from what the stages import: `make graph`."""

import re
import sys
from pathlib import Path

from orchestration.project import ROOT
from smar.cli import STAGES
from smar.closure import closure

# What these say reaches a stage as parameter values and paths, which DVC tracks by themselves, or
# as the text of an error.
SEEN_OTHERWISE = ("smar/params/", "smar/paths.py", "smar/errors.py", "smar/closure.py")
_STAGE = re.compile(r"  (\w+):\n")
_KEY = re.compile(r"    (\w+):")
_CODE = re.compile(r"      - smar/")


def with_code(text: str) -> str:
    """Return a dvc.yaml in which every stage depends on exactly the code that it imports.

    Everything else stays as people wrote it, comments included.
    """
    result: list[str] = []
    stage = key = ""
    for line in [*text.splitlines(keepends=True), "\n"]:
        if key == "deps" and not line.startswith("      "):
            files = [
                file
                for file in closure(f"smar.stages.{stage}")
                if not file.startswith(SEEN_OTHERWISE)
            ]
            result += [f"      - {file}\n" for file in files]
        if found := _STAGE.fullmatch(line):
            stage, key = found[1], ""
        elif found := _KEY.match(line):
            key = found[1]
        elif not line.startswith(" "):
            stage = key = ""
        if not (stage in STAGES and key == "deps" and _CODE.match(line)):
            result.append(line)
        if key == "deps" and stage not in STAGES:
            key = ""
    return "".join(result[:-1])


def main() -> int:
    """Write dvc.yaml anew and say whether it changed."""
    path: Path = ROOT / "dvc.yaml"
    before = path.read_text(encoding="utf-8")
    after = with_code(before)
    path.write_text(after, encoding="utf-8")
    sys.stdout.write(f"{path.name}: {'changed' if after != before else 'as it was'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
