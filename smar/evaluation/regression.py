"""Figures of a candidate beside those of what is released."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smar.evaluation.systems import GATED


@dataclass(frozen=True)
class Regression:
    """One query set on which both were measured.

    Args:
        query_set: Its name.
        old: The release's mean of the metric.
        new: The candidate's.
    """

    query_set: str
    old: float
    new: float

    @property
    def loss(self) -> float:
        """How much the candidate is worse, below 0 if it is better."""
        return self.old - self.new


def regressions(old: Mapping[str, Any], new: Mapping[str, Any], metric: str) -> list[Regression]:
    """Return the gated system's figures of every query set that both measured.

    The means are not paired: this is a look, and the gate of a promotion is the judge.

    Args:
        old: metrics/evaluate.json of the release.
        new: metrics/evaluate.json of the candidate.
        metric: For example "recall@50".
    """
    found = []
    for query_set in new:
        before = old.get(query_set, {}).get(GATED, {}).get(metric)
        after = new[query_set].get(GATED, {}).get(metric)
        if before is not None and after is not None:
            found.append(Regression(query_set, float(before), float(after)))
    return found
