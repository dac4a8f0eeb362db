"""What a loss sees.

Shapes: Q queries, B items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from smar.errors import ShapeError


@dataclass(frozen=True)
class ScoredPairs:
    """Scores of queries against the items of a batch, and what is known of each pair.

    Args:
        scores: Similarities, in [-1, 1], [Q, B].
        target: Column of each query's own item, [Q].
        allowed: True where item j may stand as a negative of query i, [Q, B].
        shown: True where the shop showed item j for query i and nobody engaged, [Q, B].
        grade: Engagement grade of query i with its own item, > 0, [Q].
        grades: Grades of all queries of a step of which these are some; None if these are all.
    """

    scores: Tensor
    target: Tensor
    allowed: Tensor
    shown: Tensor
    grade: Tensor
    grades: Tensor | None = None

    @classmethod
    def of(
        cls,
        scores: Sequence[Sequence[float]],
        target: Sequence[int],
        grade: Sequence[float] | None = None,
    ) -> Self:
        """Return pairs of which every item is allowed and none was shown, for small examples."""
        matrix = torch.tensor(scores)
        allowed = torch.ones_like(matrix, dtype=torch.bool)
        grades = torch.ones(len(matrix)) if grade is None else torch.tensor(grade)
        return cls(matrix, torch.tensor(target), allowed, torch.zeros_like(allowed), grades)


def check_shapes(name: str, scores: Tensor, target: Tensor, allowed: Tensor) -> None:
    """Refuse tensors that do not fit each other.

    Raises:
        ShapeError: Names the loss and the shapes.
    """
    if scores.shape != allowed.shape or target.shape != scores.shape[:1]:
        raise ShapeError(
            f"{name}: scores {tuple(scores.shape)}, target {tuple(target.shape)} and allowed "
            f"{tuple(allowed.shape)} do not fit; expected [Q, B], [Q] and [Q, B]."
        )


def negatives_of(target: Tensor, allowed: Tensor) -> Tensor:
    """Return `allowed` without the queries' own items, [Q, B]."""
    return allowed.scatter(1, target[:, None], value=False)
