"""`smar dataset`: what there is to know of public data sets, and what to do with one."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smar.errors import ParamsError

if TYPE_CHECKING:
    from smar.datasets.comparison import Comparison
    from smar.datasets.dataset import Dataset

LINE = "Public data sets that you have downloaded: what they are, as a shop's files, compared."
_ACTIONS = {
    "list": "what each is, its licence, where it comes from; whether --source holds it",
    "prepare": "write one as the raw files that ingest reads, and the parameters for them",
    "compare": "published figures of one beside those of a release",
}


def add_command(commands: Any, shared: ArgumentParser) -> None:
    """Add the command with its arguments to the commands of a parser."""
    parser = commands.add_parser("dataset", help=LINE, description=LINE, parents=[shared])
    meanings = "; ".join(f"{name}: {meaning}" for name, meaning in _ACTIONS.items())
    parser.add_argument("action", choices=tuple(_ACTIONS), help=meanings)
    parser.add_argument("name", nargs="?", default="", help="a data set; `list` names them")
    parser.add_argument("--source", type=Path, metavar="FOLDER", help="where it was downloaded to")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="of prepare: a new folder")
    parser.add_argument("--part", default="", help="of prepare: one of its parts")
    parser.add_argument("--truth", type=Path, metavar="FOLDER", help="of compare: right answers")
    parser.add_argument("--release", default="auto", metavar="VERSION", help="as of search")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: Namespace) -> None:
    """Do what the arguments ask for and print the outcome.

    Raises:
        ParamsError: If an argument is missing or not known; lists all of them.
        DataError: If a folder is not the data set.
    """
    from smar.datasets.registry import dataset_named, datasets

    if options.action == "list":
        chosen = [dataset_named(options.name)] if options.name else list(datasets().values())
        _list(chosen, options)
        return
    _check(options)
    dataset = dataset_named(options.name)
    if options.action == "prepare":
        _prepare(dataset, options)
    else:
        _compare(dataset, options)


def _check(options: Namespace) -> None:
    needed = {"NAME": options.name, "--source FOLDER": options.source}
    if options.action == "prepare":
        needed["--to FOLDER"] = options.to
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise ParamsError(
            f"{options.action} needs {', '.join(missing)}. `smar dataset list` names the data sets."
        )


def _list(chosen: Sequence["Dataset"], options: Namespace) -> None:
    told = [_told(dataset, options.source) for dataset in chosen]
    if options.json:
        sys.stdout.write(json.dumps(told) + "\n")
        return
    for about in told:
        sys.stdout.write(f"{about.pop('name')}: {about.pop('title')}\n")
        for name, value in about.items():
            for text in value if isinstance(value, list) else [value]:
                sys.stdout.write(f"  {name:<10}{text}\n")
        sys.stdout.write("\n")


def _told(dataset: "Dataset", folder: Path | None) -> dict[str, Any]:
    """Return what there is to say of a data set."""
    told: dict[str, Any] = {
        "name": dataset.name,
        "title": dataset.title,
        "what": dataset.what,
        "licence": dataset.licence,
        "from": dataset.origin,
        "files": [
            f"{expected.pattern}{'' if expected.is_needed else ' (if there)'}: {expected.what}"
            f"{f', {expected.rows:,} rows' if expected.rows else ''}{_of_form(dataset, form.name)}"
            for form in dataset.forms
            for expected in form.files
        ],
    }
    if dataset.parts:
        told["parts"] = ", ".join(dataset.parts)
    counts = [
        f"{part}{': ' if part else ''}" + ", ".join(f"{n:,} {what}" for what, n in numbers.items())
        for part, numbers in dataset.counts.items()
    ]
    if counts:
        told["published"] = counts
    if dataset.tasks:
        told["compare"] = ", ".join(task.name for task in dataset.tasks)
    told["notes"] = list(dataset.notes)
    if folder is not None:
        told["here"] = _here(dataset, folder)
    return told


def _of_form(dataset: "Dataset", form: str) -> str:
    return f" [{form}]" if len(dataset.forms) > 1 else ""


def _here(dataset: "Dataset", folder: Path) -> list[str]:
    """Return whether a folder holds a data set, and what of it."""
    from smar.datasets.folders import look, problems_of

    looked = look(dataset, folder)
    if looked is None:
        return [f"{folder}: no such folder"]
    form, found = looked
    problems = problems_of(found)
    if problems:
        return [f"{folder}: no: {'; '.join(problems)}"]
    lines = []
    for one in found:
        if not one.paths:
            lines.append(f"{folder}: without {one.expected.pattern} ({one.expected.what})")
            continue
        of = f" of {one.expected.rows:,}" if one.expected.rows not in {0, one.rows} else ""
        rows = f", {one.rows:,}{of} rows" if one.rows >= 0 else ""
        files = one.paths[0].name if len(one.paths) == 1 else f"{len(one.paths)} files"
        lines.append(f"{folder}: yes: {files}{rows} ({one.expected.what})")
    return [*lines, f"{folder}: as {form.name}"] if len(dataset.forms) > 1 else lines


def _prepare(dataset: "Dataset", options: Namespace) -> None:
    from smar.datasets.preparing import ARGUMENTS, prepare

    target = options.to if options.to.is_absolute() else options.root / options.to
    prepared = prepare(dataset, options.source, target, options.part, folder=options.to)
    if options.json:
        sys.stdout.write(json.dumps(vars(prepared)) + "\n")
        return
    counted = ", ".join(f"{number:,} {name}" for name, number in prepared.counts.items() if number)
    lines = [f"{target}: {counted}"]
    lines += [f"  not as published: {difference}" for difference in prepared.differences]
    lines += [f"  {note}" for note in dataset.notes]
    lines += ["", f"Set these (they are in {options.to / ARGUMENTS}):"]
    lines += [f"  {name}: {json.dumps(value)}" for name, value in prepared.settings.items()]
    lines += ["", f"or, for one run: xargs -a {options.to / ARGUMENTS} dvc exp run"]
    sys.stdout.write("\n".join(lines) + "\n")


def _compare(dataset: "Dataset", options: Namespace) -> None:
    from smar.datasets.comparison import as_dict, compare
    from smar.params import load_params

    seed = load_params(options.root / "params.yaml").seed
    found = compare(
        dataset, options.source, options.truth, options.root, options.release, seed=seed
    )
    if options.json:
        sys.stdout.write(json.dumps(as_dict(dataset, found)) + "\n")
    else:
        sys.stdout.write(comparison_table(dataset, found))


def comparison_table(dataset: "Dataset", found: "Comparison") -> str:
    """Return a comparison as an aligned table, with what differs below it."""
    from smar.pages.text_table import aligned

    published = list(dict.fromkeys(name for line in found.lines for name in line.published))
    ours = list(dict.fromkeys(name for line in found.lines for name in line.ours))
    rows = [["task", "metric", *published, *ours, "queries"]]
    for line in found.lines:
        of_theirs = [_number(line.published.get(name)) for name in published]
        of_ours = [_number(line.ours.get(name)) for name in ours]
        rows.append([line.task, line.metric, *of_theirs, *of_ours, f"{line.queries:,}"])
    head = f"{dataset.title}: published figures, and {found.release or 'the working tree'}"
    differs = ["", "What differs:", *(f"  - {text}" for text in found.differs)]
    source = f"Published: {dataset.figures_from}."
    return "\n".join([head, "", *aligned(rows, left=2), *differs, "", source]) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
