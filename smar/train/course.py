"""What a training run does, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass

from smar.losses import Loss
from smar.models.dual_encoder import DualEncoder
from smar.params import FinetuneParams, PretrainParams
from smar.train.step import Step, finetune_step
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

    def freeze(self, model: DualEncoder) -> None:
        """Let the parts that this phase trains have gradients, and no others."""
        for name, part in model.named_children():
            part.requires_grad_(name not in self.frozen)
        model.hold()


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


def pretraining_weights(params: PretrainParams, *, is_learned: bool) -> TaskWeights:
    """Return the weights of the pre-training tasks."""
    tasks = {
        "text": params.alpha,
        "image": params.beta,
        "multimodal": params.gamma,
        "alignment": params.alignment,
    }
    return TaskWeights(tasks, is_learned=is_learned)


def finetune_course(params: FinetuneParams, loss: Loss, *, is_learned: bool) -> Course:
    """Return fine-tuning on clicks: the gated loss and the pre-training tasks, by their weights."""
    tasks = {
        "gated": params.gated,
        "text": params.alpha,
        "image": params.beta,
        "multimodal": params.gamma,
        "alignment": params.alignment,
    }
    teacher = params.teacher if params.teacher.name else None
    if teacher:
        tasks["taught"] = teacher.weight
    weights = TaskWeights(tasks, is_learned=is_learned)
    step = finetune_step(weights, loss, teacher)
    return Course([Phase("gated", 0, params.steps, step)], weights)
