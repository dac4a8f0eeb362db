"""What teaches a gate.

Shapes: Q queries.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Lesson:
    """A batch of clicks as a gate sees it; losses are computed when they are asked for.

    Args:
        text: Loss of each query over S_t, [Q].
        multimodal: Loss of each query over S_m, [Q].
        mixed: Loss of each query over the mixed scores that a search gives, [Q].
        logit: Logit of P(q), [Q].
        visual: 1 where what was engaged is bought by eye, [Q].
    """

    text: Callable[[], Tensor]
    multimodal: Callable[[], Tensor]
    mixed: Callable[[], Tensor]
    logit: Tensor
    visual: Tensor


def by_clicks(lesson: Lesson) -> Tensor:
    """Return the mean loss of the mixed scores: clicks alone teach P, where it can be taught."""
    return lesson.mixed().mean()
