"""A hit's score as the probability that it is relevant.

Shapes: k hits, F facts, P points.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

WEAK = 0.5
"""Below it a hit is more likely irrelevant than relevant: an answer with no other is weak."""


@dataclass(frozen=True)
class Calibration:
    """What makes probabilities of scores.

    `p = curve(b . facts)` over four facts: the score, two shares of the query's words that no item
    has (of words that no search uses either, and of words that searches do use, as "gown" where
    every title says dress), and how many of the query's words one item holds. The same score says
    more of a query that the words cannot help with, most where the vectors have learned what it
    means, and less of one that wishes for several things which an item has at once: there a near
    miss scores as high as a hit does elsewhere. Of one query p grows with the score.

    Args:
        slopes: b; that of the score is above 0. Indexes of before have two or three of them.
        points: Where the curve is known, ascending, [P].
        chances: The probability at each point, never falling, [P]; between them it is linear.
        cut: The probability below which one in a hundred of the relevant hits lay that it was
            fitted to; what is below it can be left out, and is weak.
        source: Name of the query set that it was fitted to.
        asked: The words that searches use and no item has, as `WordIndex.lacking` gives them.
    """

    slopes: tuple[float, ...]
    points: tuple[float, ...]
    chances: tuple[float, ...]
    cut: float
    source: str
    asked: frozenset[str] = frozenset()

    def of(
        self, scores: NDArray[np.float32], unknown: float, asked: float = 0.0, held: float = 0.0
    ) -> NDArray[np.float64]:
        """Return the probability that each hit of a query is relevant, [k].

        Args:
            scores: Of the hits, [k].
            unknown: Share of the query's words that neither items nor searches have, in [0, 1].
            asked: Share of those that only searches have.
            held: How many of the query's words one item holds, as `unseen.together` counts them.
        """
        slope, *others = self.slopes
        of_query = sum(b * fact for b, fact in zip(others, (unknown, asked, held), strict=False))
        line = slope * scores.astype(np.float64) + of_query
        return np.asarray(np.interp(line, *self._curve), np.float64)

    @cached_property
    def _curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.array(self.points), np.array(self.chances)

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain types."""
        return asdict(self) | {"asked": sorted(self.asked)}

    @classmethod
    def read(cls, content: Mapping[str, Any] | None) -> Self | None:
        """Return what `as_dict` gave, None of None."""
        if content is None:
            return None
        slopes, points, chances = (tuple(content[name]) for name in ("slopes", "points", "chances"))
        asked = frozenset(content.get("asked", ()))
        return cls(slopes, points, chances, content["cut"], content["source"], asked)


def facts(
    scores: NDArray[np.float32], unknown: float, asked: float, held: float
) -> NDArray[np.float64]:
    """Return what is known of the hits of a query, [k, F]."""
    of_query = np.tile([unknown, asked, held], (len(scores), 1))
    return np.column_stack([scores.astype(np.float64), of_query])
