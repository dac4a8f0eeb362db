"""A hit's score as the probability that it is relevant.

Shapes: k hits, F facts, P points.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_BEFORE = 4  # slopes at most of an index that was fitted to fewer facts
NUM_FACTS = 6
WEAK = 0.5
"""Below it a hit is more likely irrelevant than relevant: an answer with no other is weak."""


@dataclass(frozen=True)
class QueryFacts:
    """What is known of a query beside the scores of its hits, as `unseen.told_by` finds it.

    Args:
        unknown: Share of the query's words that neither items nor searches have, in [0, 1].
        asked: Share of those that only searches have.
        share: The largest share of the query's words that an item holds, as the index scores it.
        known: How many of its words items have.
        rarity: `1 / (1 + n)` where n items hold all of these at once; 0 without any.
    """

    unknown: float
    asked: float = 0.0
    share: float = 0.0
    known: int = 0
    rarity: float = 0.0

    def row(self) -> tuple[float, ...]:
        """Return the facts in the order of the slopes."""
        return (self.unknown, self.asked, self.share, self.known, self.rarity)

    def row_of_before(self) -> tuple[float, ...]:
        """Return what indexes of before were fitted to: how many of the words one item holds."""
        return (self.unknown, self.asked, self.known * self.share)


@dataclass(frozen=True)
class Calibration:
    """What makes probabilities of scores.

    `p = curve(b . facts)` over the score and the five `QueryFacts`. The same score says more of a
    query that the words cannot help with, most where the vectors have learned what it means
    ("gown" where every title says dress), and less of one of many words: there a near miss has
    most of them and scores as a hit does elsewhere, unless items do hold all of them at once. Of
    one query p grows with the score.

    Args:
        slopes: b; that of the score is above 0. Indexes of before have two to four of them.
        points: Where the curve is known, ascending, [P].
        chances: The probability at each point, never falling, [P]; between them it is linear.
        cut: The probability below which one in eighty of the relevant hits lay that it was
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

    def of(self, scores: NDArray[np.float32], told: QueryFacts) -> NDArray[np.float64]:
        """Return the probability that each hit of a query is relevant, [k], by scores [k]."""
        slope, *others = self.slopes
        facts = told.row_of_before() if len(self.slopes) <= _BEFORE else told.row()
        of_query = sum(b * fact for b, fact in zip(others, facts, strict=False))
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


def facts(scores: NDArray[np.float32], told: QueryFacts) -> NDArray[np.float64]:
    """Return what is known of the hits of a query, [k, F]."""
    of_query = np.tile(told.row(), (len(scores), 1))
    return np.column_stack([scores.astype(np.float64), of_query])
