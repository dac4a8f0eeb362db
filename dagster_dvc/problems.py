"""DVC's complaints, with the file and the next step."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import yaml

_KEY = re.compile(r"'(stages\.[^']+|vars)' in '")
_STAGE = re.compile(r"stage '([^']+)' in '")
_LOST = re.compile(r"'([^']+)' does not exist")
_OPTION = re.compile(r"@ data((?:\['[^']+'\])+)")


def problem_text(root: Path, file: Path, said: str, hint: str = "") -> str:
    """Return DVC's complaint with the file it is about and what to do next.

    Args:
        root: Root folder of the repository.
        file: What the complaint is about; the root itself where that is not known.
        said: DVC's words.
        hint: DVC's own advice, "" if it has none.
    """
    lock = file.with_name("dvc.lock")
    if file.name == "dvc.lock" or "dvc.lock" in said:
        name = os.path.relpath(lock, root)
        step = f"bring it back with `git checkout {name}`, or delete it and run `dvc repro`"
        if "key 'schema': required" in said:
            step = "it is of DVC 1.x: delete it and run `dvc repro`, or `dvc commit` what is there"
        file = lock
    elif "config" in said.lower() and file == root:
        file, step = root / ".dvc" / "config", "mend it, or see `dvc config --list`"
    elif file.suffix == ".dvc" and "key 'cmd'" in said:
        step = (
            "this is a stage of DVC 0.x, which DVC 3 does not read: write it into dvc.yaml with "
            "`dvc stage add -n NAME -d DEP -o OUT COMMAND` and delete the file"
        )
    elif "key 'live'" in said or ".live'" in said:
        step = "`live` left DVC with 3.0: list its files under `metrics` and `plots`"
    elif lacking := re.search(r"requires '([\w-]+)' to be installed", said):
        step = f"`pip install {lacking[1]}`, without which DVC itself reads nothing here"
    elif "Unsupported value of type 'date" in said:
        step = "DVC's templates know no dates: write it in quotes"
    elif file.name.startswith("params"):
        step = f"mend it, or bring it back with `git checkout {os.path.relpath(file, root)}`"
    else:
        step = "mend it, then see `dvc stage list --all`"
    return f"{file}: {located(root, file, said)}. Next: {hint or step}."


def located(root: Path, file: Path, said: str) -> str:
    """Return DVC's complaint with paths from the root, and with the line of the key it names.

    Args:
        root: Root folder of the repository.
        file: What the complaint is about.
        said: DVC's words.
    """
    said = " ".join(said.split()).rstrip(".")
    above = os.path.relpath(root)
    said = said.replace(f"{above}/", "") if above != "." else said
    if "; line " in said:
        return said
    try:
        line, key = _place(file, said)
    except (OSError, yaml.YAMLError, RecursionError, UnicodeDecodeError):
        return said
    return f"{said}; line {line}, key '{key}'" if line else said


def _place(file: Path, said: str) -> tuple[int, str]:
    """Return the line, 0 if it is not known, and the key that a complaint is about."""
    if option := _OPTION.search(said):
        parts = re.findall(r"\['([^']+)'\]", option[1])
        return _line_of_option(file.read_text(encoding="utf-8"), parts), ".".join(parts)
    key, stage = _KEY.search(said), _STAGE.search(said)
    if file.suffix != ".yaml" or not (key or stage):
        return 0, ""
    named = key[1] if key else f"stages.{stage[1] if stage else ''}"
    text = file.read_text(encoding="utf-8")
    line = _line_of_key(yaml.compose(text, yaml.CSafeLoader), named.split("."))
    if lost := _LOST.search(said):  # the file that is named below the key
        name = Path(lost[1]).name
        lines = text.splitlines()
        line = next((n for n in range(line, len(lines) + 1) if name in lines[n - 1]), line)
    return line, named


def _line_of_key(node: yaml.Node | None, parts: Sequence[str]) -> int:
    """Return the line of the innermost key that is there; that of an item is its template's."""
    line = 0
    for part in parts:
        if isinstance(node, yaml.SequenceNode) and part.isdecimal():
            node = node.value[int(part)] if int(part) < len(node.value) else None
            line = node.start_mark.line + 1 if node else line
            continue
        found = _entry(node, part) or _entry(node, part.partition("@")[0])
        if found is None and (inner := _entry(node, "do")):
            found = _entry(inner[1], part)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _entry(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((pair for pair in pairs if pair[0].value == key), None)


def _line_of_option(text: str, parts: Sequence[str]) -> int:
    """Return the line of an option of DVC's configuration: core.x, or remote.name.x."""
    *sections, option = parts
    is_within = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("["):
            is_within = re.findall(r"[^\s\[\]'\"]+", line) == sections
        elif is_within and line.partition("=")[0].strip() == option:
            return number
    return 0
