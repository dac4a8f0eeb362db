"""dvc.yaml beside the stages: code dependencies are written, all else is compared: `make graph`."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from orchestration.project import ROOT
from smar.closure import closure
from smar.declaration import Stage
from smar.params import Params
from smar.params.kinds import FAMILIES, GENERATORS
from smar.stages import declared

# What these say reaches a stage as parameter values and paths, which DVC tracks by themselves, or
# as the text of an error; what a stage declares and checks stands in modules of its own.
SEEN_OTHERWISE = (
    "smar/params/",
    "smar/paths.py",
    "smar/errors.py",
    "smar/checks.py",
    "smar/closure.py",
    "smar/declaration.py",
    "smar/stages/__init__.py",
)
_STAGE = re.compile(r"  (\w+):\n")
_KEY = re.compile(r"    (\w+):")
_CODE = re.compile(r"      - smar/")


def with_code(text: str) -> str:
    """Return a dvc.yaml in which every stage depends on exactly the code that it imports.

    Everything else stays as people wrote it, comments included.
    """
    stages = declared()
    result: list[str] = []
    stage = key = ""
    for line in [*text.splitlines(keepends=True), "\n"]:
        if stage in stages and key == "deps" and not line.startswith("      "):
            result += [f"      - {file}\n" for file in code_of(stage, stages[stage])]
        if found := _STAGE.fullmatch(line):
            stage, key = found[1], ""
        elif found := _KEY.match(line):
            key = found[1]
        elif not line.startswith(" "):
            stage = key = ""
        if not (stage in stages and key == "deps" and _CODE.match(line)):
            result.append(line)
    return "".join(result[:-1])


def code_of(name: str, stage: Stage) -> list[str]:
    """Return the code that a stage depends on, as it stands in dvc.yaml.

    Of a family of kinds that is the file of the chosen one, named by its parameter, and what the
    kinds share; of generators, of which several are used at once, every file. Of parameters it is
    the files with the defaults of the sections that the stage takes.
    """
    found = closure(f"smar.stages.{name}")
    for family in FAMILIES:
        folder = family.package.replace(".", "/")
        if f"{folder}/__init__.py" not in found:
            continue
        kinds = {f"{folder}/{kind}.py" for kind in family}
        needed = closure(*(kind.module for kind in family.kinds.values()))
        chosen = kinds if family is GENERATORS else {f"{folder}/${{{family.key}}}.py"}
        if family.section in stage.unused_kinds:
            chosen = set()
        found = sorted({*found, *needed} - kinds | chosen)
    fields = {field.alias or key: field for key, field in Params.model_fields.items()}
    modules = {
        getattr(fields[entry.partition(".")[0]].annotation, "__module__", "")
        for entry in stage.params
    }
    defaults = {f"{module.replace('.', '/')}.py" for module in modules if "smar" in module}
    kept = [file for file in found if not file.startswith(SEEN_OTHERWISE)]
    return sorted({*kept, *defaults})


def differences(text: str, stages: Mapping[str, Stage]) -> list[str]:
    """Return in words where a dvc.yaml and the declarations of the stages part, [] if nowhere.

    Code dependencies are left out: `with_code` writes them.

    Args:
        text: The dvc.yaml.
        stages: The declared stages by name, in the order in which they can run.
    """
    listed = yaml.safe_load(text)["stages"]
    found = [
        f"stage {name} is in dvc.yaml but not in smar/stages: add smar/stages/{name}.py with its "
        "declaration STAGE and its function run, or remove it from dvc.yaml"
        for name in listed
        if name not in stages
    ]
    for name, stage in stages.items():
        if name not in listed:
            found.append(
                f"stage {name} is in smar/stages but not in dvc.yaml: add this under stages, and "
                f"run `make graph`, which adds the code it depends on:\n{_lines(name, stage)}"
            )
        else:
            found += _stage_differences(name, stage, listed[name])
    seen: set[str] = set()
    for name in (name for name in listed if name in stages):
        later = {o for other in stages if other not in seen for o in stages[other].writes}
        early = sorted(set(stages[name].reads) & later - set(stages[name].writes))
        if early and set(stages) <= set(listed):
            found.append(f"stage {name} stands in dvc.yaml before what writes {', '.join(early)}")
        seen.add(name)
    return found


def _stage_differences(name: str, stage: Stage, content: Mapping[str, Any]) -> list[str]:
    found = [
        f"stage {name}: {key} is {content.get(key)!r} in dvc.yaml, expected {expected!r}"
        for key, expected in (("desc", stage.summary), ("cmd", f"smar {name}"))
        if content.get(key) != expected
    ]
    outputs = (out for key in ("outs", "metrics") for out in content.get(key, ()))
    for words, declares, lists in (
        ("reads", stage.reads, [d for d in content.get("deps", ()) if not d.startswith("smar/")]),
        ("writes", stage.writes, list(map(_name, outputs))),
        ("params", stage.params, content.get("params", ())),
    ):
        where = {"reads": "deps", "writes": "outs or metrics"}.get(words, words)
        found += [
            f"stage {name}: {entry} is in {words} of smar/stages/{name}.py but not under {where} "
            f"in dvc.yaml: add it there"
            for entry in _without(declares, lists)
        ]
        found += [
            f"stage {name}: {entry} is under {where} in dvc.yaml but not in {words} of "
            f"smar/stages/{name}.py: add it there"
            for entry in _without(lists, declares)
        ]
    return found


def _lines(name: str, stage: Stage) -> str:
    """Return a stage as it may stand in dvc.yaml, its code dependencies left out."""
    metrics = [out for out in stage.writes if out.startswith("metrics/")]
    outs = [out for out in stage.writes if out not in metrics]
    lines = [f"  {name}:", f"    desc: {json.dumps(stage.summary)}", f"    cmd: smar {name}"]
    for key, entries in (
        ("deps", stage.reads),
        ("params", stage.params),
        ("outs", outs),
        ("metrics", [f"{out}:\n          cache: false" for out in metrics]),
    ):
        if entries:
            lines += [f"    {key}:", *(f"      - {entry}" for entry in entries)]
    return "\n".join(lines)


def _name(entry: Any) -> str:
    """Return the path or key of an entry, which may have options behind it."""
    return str(next(iter(entry)) if isinstance(entry, Mapping) else entry)


def _without(entries: Iterable[str], others: Iterable[str]) -> list[str]:
    known = set(others)
    return [entry for entry in entries if entry not in known]


def main() -> int:
    """Write dvc.yaml anew, say whether it changed, and where it parts from the declarations."""
    path: Path = ROOT / "dvc.yaml"
    before = path.read_text(encoding="utf-8")
    after = with_code(before)
    path.write_text(after, encoding="utf-8")
    sys.stdout.write(f"{path.name}: {'changed' if after != before else 'as it was'}\n")
    parted = differences(after, declared())
    sys.stderr.writelines(f"{line}\n" for line in parted)
    return 1 if parted else 0


if __name__ == "__main__":
    sys.exit(main())
