"""Whether a candidate becomes a release: rules over a paired comparison, and their reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from smar.params import PromoteParams
from smar.release.comparison import OVERALL, Row

PROMOTED, REFUSED = "promoted", "refused"


@dataclass(frozen=True)
class Rule:
    """One condition of a promotion.

    Args:
        name: What it is about.
        passed: Whether it holds.
        text: What was seen and what is asked for.
    """

    name: str
    passed: bool
    text: str


@dataclass(frozen=True)
class Figures:
    """What was measured of a candidate beside its ranking.

    Args:
        index_recall: Recall of its index against exact search.
        latency_ms: 95th percentile of one search, CPU time.
        old_latency_ms: The same of the current release, measured in turns; None without one.
    """

    index_recall: float
    latency_ms: float
    old_latency_ms: float | None = None


@dataclass(frozen=True)
class Decision:
    """What was decided about a candidate, and why.

    Args:
        verdict: "promoted" or "refused".
        compared_with: Version of the release it was compared with, "" for none.
        rules: Every rule with its outcome.
        primary: The metric of the tables.
        query_set: Which judged queries: "test", "validation" or "synthetic".
        shared: Table over the items that both have; the decision is made on it.
        served: Table of what shoppers get, each with its own catalogue.
        facts: Anything worth a look, by name.
    """

    verdict: str
    compared_with: str
    rules: list[Rule]
    primary: str
    query_set: str
    shared: list[Row] = field(default_factory=list)
    served: list[Row] = field(default_factory=list)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reasons(self) -> list[str]:
        """Why it was refused; empty if it was not."""
        return [rule.text for rule in self.rules if not rule.passed]

    def as_dict(self) -> dict[str, Any]:
        """Return the decision in plain types."""
        return asdict(self) | {"reasons": self.reasons}


def judge_ranking(rows: Sequence[Row], primary: str, params: PromoteParams) -> list[Rule]:
    """Return the rules about quality, from the table over shared items.

    - Overall, the candidate must be shown to be not worse than by the margin: the lower end of the
      95 % interval of the paired difference stays above `-margin`.
    - In a protected slice it must not be shown to be worse: refused where the mean lies more than
      `slice_margin` below and the randomisation test, corrected for the number of slices (Holm,
      1979), finds the difference real. A slice with too few queries is shown, not judged.
    """
    overall = next((row for row in rows if row.name == OVERALL), None)
    seen = overall.queries if overall else 0
    if overall is None or seen < params.min_queries:
        text = (
            f"{seen} judged queries have a relevant item that both have; at least "
            f"{params.min_queries} are needed to compare (promote.min_queries); "
            "another shop needs a folder of its own"
        )
        return [Rule("queries", passed=False, text=text)]
    gap = overall.gap
    rules = [
        Rule(
            "overall",
            gap.low >= -params.margin,
            f"{primary} {overall.old:.3f} -> {overall.new:.3f}, {_gap_text(overall)}; the lower "
            f"end must be at least {-100 * params.margin:+.1f} points",
        )
    ]
    judged = [r for r in rows if r.name in params.protected and r.queries >= params.min_queries]
    real = _holm([row.gap.p_value for row in judged], params.level)
    for row, is_real in zip(judged, real, strict=True):
        worse = is_real and row.gap.mean < -params.slice_margin
        text = (
            f"{row.name}: {primary} {row.old:.3f} -> {row.new:.3f}, {_gap_text(row)}; it must not "
            f"be worse by more than {100 * params.slice_margin:.1f} points for sure"
        )
        rules.append(Rule(f"slice {row.name}", not worse, text))
    return rules


def judge_figures(figures: Figures, params: PromoteParams) -> list[Rule]:
    """Return the rules about index recall and latency."""
    rules = [
        Rule(
            "index recall",
            figures.index_recall >= params.min_index_recall,
            f"the index finds {figures.index_recall:.3f} of what exact search finds; at least "
            f"{params.min_index_recall} is asked for",
        ),
        Rule(
            "latency",
            figures.latency_ms <= params.max_latency_ms,
            f"95 % of searches take at most {figures.latency_ms:.1f} ms of CPU; allowed are "
            f"{params.max_latency_ms:g} ms",
        ),
    ]
    if figures.old_latency_ms is not None:
        # Below a millisecond the ratio is noise of the clock.
        allowed = params.max_latency_ratio * max(figures.old_latency_ms, 1.0)
        text = (
            f"95 % of searches take {figures.latency_ms:.1f} ms of CPU, before "
            f"{figures.old_latency_ms:.1f} ms; at most {params.max_latency_ratio:g} times as long "
            "is allowed"
        )
        rules.append(Rule("latency ratio", figures.latency_ms <= allowed, text))
    return rules


def _gap_text(row: Row) -> str:
    gap = row.gap
    return (
        f"{100 * gap.mean:+.1f} points (95 % {100 * gap.low:+.1f} to {100 * gap.high:+.1f}, "
        f"p = {gap.p_value:.2g}, {row.queries} queries)"
    )


def _holm(p_values: Sequence[float], level: float) -> list[bool]:
    """Return which hypotheses Holm's step-down procedure rejects at a family-wise level."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    rejected = [False] * len(p_values)
    for rank, place in enumerate(order):
        if p_values[place] > level / (len(p_values) - rank):
            break
        rejected[place] = True
    return rejected
