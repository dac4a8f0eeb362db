"""Beyond Text's three stages: alignment, queries, fusion, one after the other."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Literal, Self

import numpy as np
from pydantic import model_validator

from smar.losses import Loss
from smar.params import PretrainParams
from smar.params.section import NonNegative, Section
from smar.train.course import Course, Phase
from smar.train.step import alignment_step, pretrain_step
from smar.train.weighting import TaskWeights


class Params(Section):
    """Parameters of this curriculum."""

    class Shares(Section):
        """Shares of the steps that each stage has."""

        alignment: NonNegative = 0.3
        """Of the stage alignment."""
        query: NonNegative = 0.4
        """Of the stage query."""
        fusion: NonNegative = 0.3
        """Of the stage fusion."""

        @model_validator(mode="after")
        def _check_sum(self) -> Self:
            if self.alignment + self.query + self.fusion <= 0:
                raise ValueError("at least one share must be above 0")
            return self

    class Frozen(Section):
        """Parts of the model that each stage leaves as they are."""

        alignment: list[Literal["query", "text", "image", "fusion"]] = ["query", "fusion"]
        """In the stage alignment."""
        query: list[Literal["query", "text", "image", "fusion"]] = ["fusion"]
        """In the stage query."""
        fusion: list[Literal["query", "text", "image", "fusion"]] = ["text", "image"]
        """In the stage fusion."""

    shares: Shares = Shares()
    """Share of the steps that each stage has; 0 leaves a stage out."""
    frozen: Frozen = Frozen()
    """Parts of the model that each stage leaves as they are."""


def senseless(params: Any) -> Iterator[str]:
    """Yield what makes no sense with this curriculum."""
    tasks, own = params.pretrain, params.curriculum.own
    shares, frozen = own.shares, own.frozen
    if not params.fusion_kind.facts["SEES_PICTURES"]:
        yield (
            f"curriculum.kind: 'staged' with model.fusion '{params.model.fusion}': its stages "
            "align pictures, which this model does not look at. Set curriculum.kind to joint"
        )
    if shares.query and not tasks.alpha + tasks.beta:
        yield (
            "curriculum.staged.shares.query: above 0 while pretrain.alpha and beta are 0: the "
            "stage has no loss"
        )
    if shares.fusion and not tasks.gamma:
        yield (
            "curriculum.staged.shares.fusion: above 0 while pretrain.gamma is 0: the stage has no "
            "loss"
        )
    for stage, needed in (
        ("alignment", {"text", "image"}),
        ("query", {"query", "text", "image"}),
        ("fusion", {"query", "text", "image", "fusion"}),
    ):
        if getattr(shares, stage) and needed <= set(getattr(frozen, stage)):
            yield f"curriculum.staged.frozen.{stage}: freezes all that the stage could train"


def course(params: PretrainParams, loss: Loss, weights: TaskWeights, own: Params) -> Course:
    """Return Beyond Text's three stages (Target, 2603.04836).

    1. alignment: texts and pictures of the same item, without queries;
    2. query: `alpha L_t + beta L_i`, queries against texts and against pictures;
    3. fusion: `gamma L_m`, queries against fused items.

    The paper names the stages. What is frozen when it does not say; by default (our choice) the
    first two leave the fusion alone, and the last trains queries and fusion over item towers that
    stay as they are, so that S_t and S_i keep what they learned. Each stage warms up and cools
    down by itself, as the training run of its own that it is.

    Example:
        >>> weights = TaskWeights({"text": 1.0, "multimodal": 1.0}, is_learned=False)
        >>> plan = course(PretrainParams(steps=10), lambda pairs: pairs.scores, weights, Params())
        >>> [(phase.name, phase.first, phase.last) for phase in plan.phases]
        [('alignment', 0, 3), ('query', 3, 7), ('fusion', 7, 10)]

    Args:
        params: Steps.
        loss: What every task is measured with.
        weights: Of the tasks.
        own: Shares of the stages and what is frozen.
    """
    steps = {
        "alignment": alignment_step(TaskWeights({"alignment": 1.0}, is_learned=False), loss),
        "query": pretrain_step(weights, loss, ("text", "image")),
        "fusion": pretrain_step(weights, loss, ("multimodal",)),
    }
    shares = np.array([getattr(own.shares, name) for name in steps])
    ends = np.round(np.cumsum(shares) / shares.sum() * params.steps).astype(int)
    bounds = pairwise([0, *ends.tolist()])
    phases = [
        Phase(name, first, last, step, tuple(getattr(own.frozen, name)))
        for (name, step), (first, last) in zip(steps.items(), bounds, strict=True)
        if last > first
    ]
    return Course(phases, weights)
