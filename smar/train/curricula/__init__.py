"""Orders in which pre-training learns its tasks: a file for each kind, which says all about it.

A curriculum is a function `course(params, loss, weights, own) -> Course`.
"""

from smar.losses import Loss
from smar.params import CurriculumParams, PretrainParams
from smar.params.kinds import CURRICULA
from smar.train.course import Course, pretraining_weights


def build_course(
    params: PretrainParams, loss: Loss, curriculum: CurriculumParams, *, is_learned: bool
) -> Course:
    """Return the course of a pre-training run.

    Args:
        params: The section `pretrain`.
        loss: What every task is measured with.
        curriculum: The section `curriculum`.
        is_learned: Whether the weights of the tasks are learned.
    """
    weights = pretraining_weights(params, is_learned=is_learned)
    module = CURRICULA[curriculum.kind].load()
    course: Course = module.course(params, loss, weights, curriculum.own)
    return course
