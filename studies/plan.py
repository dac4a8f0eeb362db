"""What a study compares: studies/params.yaml as strict objects.

A *setting* is a dotted key of params.yaml and its value, for example `model.fusion: moe`.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ValidationError

from smar.errors import ParamsError, list_problems, near_match
from smar.params.section import Count, Fraction, Section

Settings = dict[str, Any]


class PicturePlan(Section):
    """What becomes of the pictures: those of the feed, or of a more careless one."""

    wrong_frac: Fraction
    """Share of the pictured items that have the pictures of one another."""
    generic_frac: Fraction
    """Share of the others that have all the same pictures: those of the first item."""
    max_per_item: Count | None
    """Pictures of an item that are kept, main one first; null = all."""
    turned_frac: Fraction = 0.0
    """Share of the demo shop's patterned items whose pattern is on the second picture alone."""


class DataPlan(Section):
    """One form of the data."""

    settings: Settings
    pictures: PicturePlan


class MatrixPlan(Section):
    """Runs to do: every data form with every variant and every seed."""

    data: list[str]
    variants: list[str]
    seeds: list[Count]


class TablePlan(Section):
    """A table of the report.

    A row is a variant (its gated system) or `variant:system` with a system of the evaluation
    (text, image, multimodal, bm25). Every row is tested against the row `against`.
    """

    title: str
    note: str
    set: Literal["test", "validation", "synthetic"]
    data: list[str]
    rows: list[str]
    against: str
    metrics: list[str]
    slices: list[str]


class FigurePlan(Section):
    """A figure: a metric over the values of a setting, one line for all queries and each slice."""

    title: str
    set: Literal["test", "validation", "synthetic"]
    data: str
    points: dict[str, str]
    """Variant: its label on the horizontal axis."""
    metric: str
    slices: list[str]


class StudyPlan(Section):
    """A study.

    The settings of a run are `base`, then those of its data, then those of its variant. `peers` are
    rows of tables whose results other programs leave beside those of the variants. What to run is
    three matrices: every variant, other forms of the data, and the finalists.
    """

    base: Settings
    data: dict[str, DataPlan]
    variants: dict[str, Settings]
    peers: list[str]
    matrix: MatrixPlan
    forms: MatrixPlan
    finalists: MatrixPlan
    tables: list[TablePlan]
    figures: list[FigurePlan]


def load_plan(path: Path) -> StudyPlan:
    """Return the plan of a study.

    Raises:
        ParamsError: Lists every problem of the file: unknown keys, and names that no section has.
    """
    if not path.is_file():
        raise ParamsError(f"{path}: not found. Run `smar study` in a project's folder.")
    try:
        plan = StudyPlan.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}." for e in error.errors()]
    else:
        problems = _unknown_names(plan)
        if not problems:
            return plan
    raise ParamsError(list_problems(f"{path}: {len(problems)} problem(s)", problems))


def apply_settings(params: dict[str, Any], *settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with settings put in, later ones over earlier ones.

    A part that params.yaml leaves at its defaults, such as `finetune.augment`, is made.

    Raises:
        ParamsError: If a key's section does not exist; names the key.
    """
    result = copy.deepcopy(params)
    for group in settings:
        for key, value in group.items():
            section, *parts = key.split(".")
            if parts and section not in result:
                raise ParamsError(f"{key}: params.yaml has no section '{section}'.")
            place = result
            for part in (section, *parts)[:-1]:
                place = place.setdefault(part, {})
                if not isinstance(place, dict):
                    raise ParamsError(f"{key}: '{part}' has no parts in params.yaml.")
            place[(section, *parts)[-1]] = value
    return result


def _unknown_names(plan: StudyPlan) -> list[str]:
    matrices = {"matrix": plan.matrix, "forms": plan.forms, "finalists": plan.finalists}
    used = [(name, each.data, each.variants) for name, each in matrices.items()]
    variants = [*plan.variants, *plan.peers]
    for table in plan.tables:
        rows = [row.partition(":")[0] for row in (*table.rows, table.against)]
        used.append((f"tables '{table.title}'", table.data, rows))
    used += [(f"figures '{each.title}'", [each.data], list(each.points)) for each in plan.figures]
    return [
        f"{where}: unknown {kind} '{name}'.{near_match(name, known)}"
        for where, data, rows in used
        for kind, names, known in (("data", data, [*plan.data]), ("variant", rows, variants))
        for name in names
        if name not in known
    ]
