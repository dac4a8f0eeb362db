"""A variant of the pipeline, trained for some seconds of processor as its stages train it."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.quality.material import Material
from benchmarks.quality.shop import Shop
from benchmarks.starts import train
from smar.evaluation.systems import per_query_table
from smar.judging.metrics import score_run
from smar.judging.runs import QuerySet, Run
from smar.losses import build_loss
from smar.models.dual_encoder import DualEncoder
from smar.params import Params
from smar.params.kinds import GATES
from smar.seeding import seed_torch
from smar.train.aligned import align
from smar.train.course import Course, finetune_course
from smar.train.curricula import build_course
from smar.train.prepare import build_sampler
from studies.paths import StudyPaths
from studies.plan import apply_settings, load_plan

SHIPPED = "full"
STEP = {"items_per_step": 96, "queries_per_item": 2, "precision": "float32"}
"""What a step has in every row: of 20 settings the fair study's choice at half a minute."""


class Ground(Material):
    """One form of the data, read once for all its rows.

    Args:
        root: The project's root folder, with `smar study prepare DATA` done.
        data: Name of the data form.
    """

    def __init__(self, root: Path, data: str) -> None:
        super().__init__(Shop(root, data, variant=SHIPPED))
        self.plan = load_plan(StudyPaths(root).plan)
        self._starts: dict[tuple[str, int], dict[str, Tensor]] = {}
        self.test, self.validation = self.shop.query_sets()

    def per_query(self, queries: QuerySet, runs: Mapping[str, Run]) -> pd.DataFrame:
        """Return one row per query and system with every metric and the query's slices."""
        cutoffs = self.shop.params.evaluate.cutoffs
        values = {name: score_run(run, queries, cutoffs) for name, run in runs.items()}
        return per_query_table(queries, values, self._slices[queries.name])

    @cached_property
    def _slices(self) -> dict[str, dict[str, NDArray[np.bool_]]]:
        """The slices of either query set, by its name."""
        return {each.name: self.shop.slices(each) for each in (self.test, self.validation)}

    def start(self, model: DualEncoder, params: Params) -> None:
        """Put the towers where `pretrain.start` says, those of a seed at the same for all rows."""
        start = params.pretrain.start
        if start == "random":
            return
        towers = ("query.", "text.", "image.")
        if (start, params.seed) not in self._starts:
            nothing = np.empty(0, np.int64)
            by_contrast = start == "contrasted"
            align(model, self.shop.items, self.source, nothing, by_contrast=by_contrast)
            self._starts[start, params.seed] = {
                name: value.clone()
                for name, value in model.state_dict().items()
                if name.startswith(towers)
            }
        model.load_state_dict(self._starts[start, params.seed], strict=False)

    def params(self, variant: str, seed: int) -> Params:
        """Return the parameters of a row."""
        content = yaml.safe_load(self.shop.paths.params.read_text(encoding="utf-8"))
        stages = ("pretrain", "finetune")
        step: Mapping[str, Any] = {f"{stage}.{k}": v for stage in stages for k, v in STEP.items()}
        settings = self.plan.variants[variant]
        return Params.model_validate(apply_settings(content, step, settings, {"seed": seed}))


def trained(ground: Ground, params: Params, seconds: float) -> tuple[DualEncoder, dict[str, int]]:
    """Return a model after both trainings and the settling of its gate, and the steps of each.

    The seconds are shared as the steps of the parameters are, those of a stage over its phases
    likewise; a training of a single step stands for none. A start that is computed comes before
    them, the settling of the gate after them.
    """
    seed_torch(params.seed)
    model = ground.towers(params)
    ground.start(model, params)
    loss, is_learned = build_loss(params.loss), params.loss.weights == "learned"
    settles = GATES[params.gate.kind].facts["SETTLES"]
    counts = (params.pretrain.steps, params.finetune.steps)
    a_step = seconds / max(1, sum(count for count in counts if count > 1))
    steps = {
        "pretrain": _follow(
            model,
            build_course(params.pretrain, loss, params.curriculum, is_learned=is_learned),
            ground,
            params,
            a_step,
            is_first=True,
        )
    }
    if not settles:
        model.set_gate(params.gate.kind, params.gate.own.model_dump())
    clicks = finetune_course(params.finetune, loss, is_learned=is_learned)
    steps["finetune"] = _follow(model, clicks, ground, params, a_step, is_first=False)
    model.requires_grad_()
    if settles:
        ground.settle(model, params, params.seed)
    return model, steps


def _follow(
    model: DualEncoder,
    course: Course,
    ground: Ground,
    params: Params,
    a_step: float,
    *,
    is_first: bool,
) -> int:
    """Train a model by a course, so many seconds for each of its steps; return those it took."""
    settings = params.pretrain if is_first else params.finetune
    data = ground.data if is_first else ground.clicks
    real_frac = params.pretrain.real_frac if is_first else 1.0
    taken = 0
    if settings.steps == 1:
        return taken
    for number, phase in enumerate(course.phases):
        phase.freeze(model)
        seed = params.seed + (not is_first) + 1000 * number
        taken += train(
            model,
            build_sampler(data, settings, real_frac, seed),
            ground.makers[not is_first],
            phase.step,
            settings,
            (phase.last - phase.first) * a_step,
            course.weights,
        )
    return taken
