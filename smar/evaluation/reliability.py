"""Whether the gate means what it says.

P(q) is read as a chance twice: that a query is a visual one, and that the picture helps it. A gate
is calibrated if, of the queries it gives 0.7, seven in ten are so.

Shapes: Q queries, N bins.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.seeding import generator

_BINS = 10
_DRAWS = 200  # of outcomes, for what chance alone makes of an error


@dataclass(frozen=True)
class Reliability:
    """A gate against an outcome.

    Args:
        outcome: What P(q) is held against, for people.
        queries: How many queries have a known outcome.
        error: Expected calibration error, in [0, 1]; 0 is perfect.
        by_chance: The error that a gate without any has on average over as many queries: below
            it nothing can be told.
        brier: Mean squared difference of P(q) and outcome, in [0, 1].
        bins: One row per bin with queries in it: predicted (mean P(q)), observed (share of
            queries of that outcome) and queries.
    """

    outcome: str
    queries: int
    error: float
    by_chance: float
    brier: float
    bins: pd.DataFrame

    def summary(self) -> dict[str, float]:
        """Return the figures in plain types."""
        return {
            "queries": self.queries,
            "error": round(self.error, 6),
            "error_by_chance": round(self.by_chance, 6),
            "brier": round(self.brier, 6),
        }


def reliability_of(
    outcome: str, gate: NDArray[np.float32], happened: NDArray[np.bool_]
) -> Reliability:
    """Return how well gates in [0, 1], [Q], foretell an outcome, [Q], over ten equal bins.

    `error = sum_n |predicted_n - observed_n| queries_n / Q` (Naeini et al., 2015).
    """
    number = np.minimum((gate * _BINS).astype(np.int64), _BINS - 1)
    table = pd.DataFrame({"bin": number, "gate": gate.astype(np.float64), "happened": happened})
    grouped = table.groupby("bin")
    bins = pd.DataFrame(
        {
            "predicted": grouped["gate"].mean(),
            "observed": grouped["happened"].mean(),
            "queries": grouped.size(),
        }
    ).reset_index(drop=True)
    gaps = (bins["predicted"] - bins["observed"]).abs() * bins["queries"]
    return Reliability(
        outcome=outcome,
        queries=len(table),
        error=float(gaps.sum() / len(table)),
        by_chance=_by_chance(number, table["gate"].to_numpy()),
        brier=float(((table["gate"] - table["happened"]) ** 2).mean()),
        bins=bins,
    )


def _by_chance(number: NDArray[np.int64], gate: NDArray[np.float64]) -> float:
    """Return the mean error of gates, [Q], in their bins, where each outcome has that chance."""
    rng = generator(0, "reliability")
    errors = [
        np.abs(np.bincount(number, gate - (rng.random(len(gate)) < gate))).sum() / len(gate)
        for _ in range(_DRAWS)
    ]
    return float(np.mean(errors))


def gate_reliability(
    gate: NDArray[np.float32],
    visual: NDArray[np.bool_],
    multimodal: NDArray[np.float64],
    text: NDArray[np.float64],
) -> dict[str, Reliability]:
    """Return the calibration of a gate against each outcome that both occurs and fails to occur.

    Args:
        gate: P(q), [Q].
        visual: Whether the query is a visual one, [Q].
        multimodal: A metric of S_m alone, [Q].
        text: The same of S_t alone, [Q]; where the two are equal, neither was right to choose.
    """
    apart = multimodal != text
    outcomes = {
        "visual": ("the query is visual", gate, visual),
        "picture_helps": (
            "S_m alone does better than S_t alone",
            gate[apart],
            multimodal[apart] > text[apart],
        ),
    }
    return {
        name: reliability_of(meaning, chances, happened)
        for name, (meaning, chances, happened) in outcomes.items()
        if 0 < happened.sum() < len(happened)
    }
