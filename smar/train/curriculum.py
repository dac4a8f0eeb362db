"""The order in which pre-training learns its tasks: one function each, and an entry here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from smar.models.retriever import RetrieverModel
from smar.params import CurriculumParams, FinetuneParams, GateParams, LossParams, PretrainParams
from smar.train.step import Step, alignment_step, finetune_step, pretrain_step
from smar.train.weighting import TaskWeights


@dataclass(frozen=True)
class Phase:
    """Steps that train the same things.

    Args:
        name: For the log.
        first: First step, counted from 0 over the whole run.
        last: The step after the last one.
        step: What each step computes.
        frozen: Parts of the model, by attribute name, that stay as they are.
    """

    name: str
    first: int
    last: int
    step: Step
    frozen: Sequence[str] = ()

    def freeze(self, model: RetrieverModel) -> None:
        """Let the parts that this phase trains have gradients, and no others."""
        for name, part in model.named_children():
            part.requires_grad_(name not in self.frozen)


@dataclass(frozen=True)
class Course:
    """A whole run.

    Args:
        phases: In order, without gaps; a learning-rate schedule each.
        weights: Weights of the tasks; trained beside the model if they are learned.
    """

    phases: Sequence[Phase]
    weights: TaskWeights

    def phase_of(self, step: int) -> Phase:
        """Return the phase that a step belongs to."""
        return next(phase for phase in self.phases if phase.first <= step < phase.last)


def _joint(params: PretrainParams, loss: LossParams, curriculum: CurriculumParams) -> Course:
    """Return SMAR's multi-task training: every step trains every task."""
    weights = _weights(params, loss)
    return Course([Phase("joint", 0, params.steps, pretrain_step(weights, loss))], weights)


def _staged(params: PretrainParams, loss: LossParams, curriculum: CurriculumParams) -> Course:
    """Return Beyond Text's three stages (Target, 2603.04836): one after the other.

    1. alignment: texts and pictures of the same item, without queries;
    2. query: `alpha L_t + beta L_i`, queries against texts and against pictures;
    3. fusion: `gamma L_m`, queries against fused items.

    The paper names the stages. What is frozen when it does not say; by default (our choice) the
    first two leave the fusion alone, and the last trains queries and fusion over item towers that
    stay as they are, so that S_t and S_i keep what they learned. Each stage warms up and cools
    down by itself, as the training run of its own that it is.
    """
    weights = _weights(params, loss)

    steps = {
        "alignment": alignment_step(TaskWeights({"alignment": 1.0}, is_learned=False), loss),
        "query": pretrain_step(weights, loss, ("text", "image")),
        "fusion": pretrain_step(weights, loss, ("multimodal",)),
    }
    shares = np.array([getattr(curriculum.shares, name) for name in steps])
    ends = np.round(np.cumsum(shares) / shares.sum() * params.steps).astype(int)
    bounds = pairwise([0, *ends.tolist()])
    phases = [
        Phase(name, first, last, step, tuple(getattr(curriculum.frozen, name)))
        for (name, step), (first, last) in zip(steps.items(), bounds, strict=True)
        if last > first
    ]
    return Course(phases, weights)


CURRICULA: dict[str, Callable[[PretrainParams, LossParams, CurriculumParams], Course]] = {
    "joint": _joint,
    "staged": _staged,
}


def finetune_course(params: FinetuneParams, loss: LossParams, gate: GateParams) -> Course:
    """Return fine-tuning on clicks: the gated loss, and the pre-training tasks beside it."""
    tasks = {
        "gated": 1.0,
        "text": params.alpha,
        "image": params.beta,
        "multimodal": params.gamma,
    }
    weights = TaskWeights(tasks, is_learned=loss.weights == "learned")
    return Course([Phase("gated", 0, params.steps, finetune_step(weights, loss, gate))], weights)


def _weights(params: PretrainParams, loss: LossParams) -> TaskWeights:
    tasks = {"text": params.alpha, "image": params.beta, "multimodal": params.gamma}
    return TaskWeights(tasks, is_learned=loss.weights == "learned")
