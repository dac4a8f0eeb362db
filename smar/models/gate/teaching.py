"""What teaches a gate.

Shapes: Q queries, P pairs of a query and an item, N items, H hidden width of the query tower.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
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


@dataclass(frozen=True)
class Benefit:
    """What the picture brought to engaged items, once the towers are trained.

    Args:
        pooled: Pooled states of the queries, [P, H].
        gain: `ln(1 + rank by S_t) - ln(1 + rank by S_m)` of the engaged item, [P]; above 0 where
            the picture brings it up, 0.7 where it halves its rank.
        own: `S_t . S_i` of items that have a picture, [N].
        exchanged: `S_t . S_i` of the same texts with another item's picture each, [N].
    """

    pooled: Tensor
    gain: Tensor
    own: Tensor = field(default_factory=lambda: torch.empty(0))
    exchanged: Tensor = field(default_factory=lambda: torch.empty(0))


def by_clicks(lesson: Lesson) -> Tensor:
    """Return the mean loss of the mixed scores: clicks alone teach P, where it can be taught."""
    return lesson.mixed().mean()
