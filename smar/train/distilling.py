"""What a teacher's scores teach: a student ranks a step's items as the teacher does.

Shapes: Q queries, B items.
"""

import torch
from torch import Tensor

from smar.errors import ShapeError


def distillation_loss(
    scores: Tensor, taught: Tensor, temperature: float, teacher_temperature: float
) -> Tensor:
    """Return how far each query's ranking is from the teacher's.

    `KL(p || q) = sum_j p_j (ln p_j - ln q_j)` with `p = softmax(t / T_t)` of the teacher's scores t
    and `q = softmax(s / T)` of the student's, over the items of the step that the teacher has
    scored (Hinton et al., 2015; over the items of a batch: TCT-ColBERT, Lin et al., 2021). It is 0
    where all differences of scores are the teacher's times T / T_t.

    Args:
        scores: The student's, [Q, B].
        taught: The teacher's, [Q, B]; NaN where it has none.
        temperature: T, > 0.
        teacher_temperature: T_t, > 0: about a twentieth of the range of the teacher's scores.

    Returns:
        One number per query, [Q], at least 0; 0 where the teacher has scored fewer than two items.

    Raises:
        ShapeError: If the shapes differ.
    """
    if scores.shape != taught.shape:
        raise ShapeError(
            f"distillation: scores {tuple(scores.shape)} and the teacher's {tuple(taught.shape)} "
            "differ; expected [Q, B] of both."
        )
    known = ~taught.isnan()
    counts = known.sum(1, keepdim=True) > 1  # one item has no rank
    seen = known & counts
    low = torch.finfo(torch.float32).min
    teacher = (taught.float() / teacher_temperature).masked_fill(~seen, low).log_softmax(1)
    student = (scores.float() / temperature).masked_fill(~seen, low).log_softmax(1)
    parts = teacher.exp() * (teacher - student)
    return torch.where(seen, parts, torch.zeros_like(parts)).sum(1)
