"""SMAR's multi-task training: every step trains every task."""

from smar.losses import Loss
from smar.params import PretrainParams
from smar.params.section import Section
from smar.train.course import Course, Phase
from smar.train.step import pretrain_step
from smar.train.weighting import TaskWeights


class Params(Section):
    """This curriculum has none."""


def course(params: PretrainParams, loss: Loss, weights: TaskWeights, own: Params) -> Course:
    """Return one phase that trains `alpha L_t + beta L_i + gamma L_m` in every step (SMAR, 2023).

    Example:
        >>> weights = TaskWeights({"text": 1.0}, is_learned=False)
        >>> plan = course(PretrainParams(steps=10), lambda pairs: pairs.scores, weights, Params())
        >>> [(phase.name, phase.first, phase.last) for phase in plan.phases]
        [('joint', 0, 10)]

    Args:
        params: Steps.
        loss: What every task is measured with.
        weights: Of the tasks.
        own: Not used.
    """
    return Course([Phase("joint", 0, params.steps, pretrain_step(weights, loss))], weights)
