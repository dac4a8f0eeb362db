"""Figures of a candidate beside those of what is released."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smar.checks import Checked
from smar.errors import ArtifactError
from smar.evaluation.systems import GATED, HYBRID

_WORSE = 0.02  # of the metric: less is within what two test sets differ by


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
    """Return what the search as served reached on every query set that both measured.

    The means are not paired: this is a look, and the rules of a promotion judge.

    Args:
        old: metrics/evaluate.json of the release.
        new: The candidate's outcome of evaluate.
        metric: For example "recall@50".
    """
    found = []
    for query_set in new:
        before = _served(old.get(query_set, {})).get(metric)
        after = _served(new[query_set]).get(metric)
        if before is not None and after is not None:
            found.append(Regression(query_set, float(before), float(after)))
    return found


def _served(figures: Mapping[str, Any]) -> Mapping[str, float]:
    """Return the figures of the search as served, which older releases keep as `gated`."""
    found: Mapping[str, float] = figures.get(HYBRID) or figures.get(GATED, {})
    return found


def read_before(released: Path, new: Mapping[str, Any], metric: str) -> list[Regression] | None:
    """Return what the current release reached on the query sets, None if there is no release.

    Args:
        released: metrics/evaluate.json of the current release.
        new: The candidate's figures by query set.
        metric: For example "recall@50".

    Raises:
        ArtifactError: If the release's file cannot be read.
    """
    if not released.is_file():
        return None
    try:
        old = json.loads(released.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{released}: cannot be read ({error}). `smar verify` tells what is damaged."
        ) from error
    return regressions(old, new, metric)


def check_regression(found: Sequence[Regression] | None, metric: str) -> Checked:
    """Return whether no query set is clearly worse than the current release found it.

    Args:
        found: As `read_before` returns it.
        metric: For example "recall@50".
    """
    name = "not_worse_than_the_release"
    if found is None:
        return Checked(name=name, passed=True, text="there is no release to compare with")
    return Checked(
        name=name,
        passed=all(entry.loss <= _WORSE for entry in found),
        text="; ".join(
            f"{e.query_set}: {metric} {e.new:.4f}, the release has {e.old:.4f}" for e in found
        ),
        figures={f"{e.query_set} {metric} gained": -e.loss for e in found},
    )
