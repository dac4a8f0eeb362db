"""Whether a candidate becomes a release: rules over a paired comparison, and their reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from smar.params import PromoteParams
from smar.release.anchor import Anchor, Key
from smar.release.comparison import OVERALL, Row, Table

PROMOTED, REFUSED = "promoted", "refused"
PASSED = "passed"
"""Every rule holds, and nothing is released because it was an experiment."""


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
        verdict: "promoted", "refused", or "passed" for an experiment that holds every rule.
        compared_with: Version of the release it was compared with, "" for none.
        rules: Every rule with its outcome.
        primary: The metric of the tables.
        query_set: Which judged queries: "trial", "validation" or "synthetic".
        shared: The primary metric over the items that both have.
        tables: Every table that the decision is made on.
        served: Table of what shoppers get, each with its own catalogue.
        facts: Anything worth a look, by name.
    """

    verdict: str
    compared_with: str
    rules: list[Rule]
    primary: str
    query_set: str
    shared: list[Row] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    served: list[Row] = field(default_factory=list)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reasons(self) -> list[str]:
        """Why it was refused; empty if it was not."""
        return [rule.text for rule in self.rules if not rule.passed]

    def as_dict(self) -> dict[str, Any]:
        """Return the decision in plain types."""
        return asdict(self) | {"reasons": self.reasons}


def judge_ranking(
    tables: Sequence[Table], current: str, anchors: Mapping[Key, Anchor], params: PromoteParams
) -> list[Rule]:
    """Return the rules about quality, from tables over shared items.

    - Overall, the candidate must be shown to be not worse than by the margin, in every guarded
      metric on the deciding queries: the lower end of the 95 % interval of the paired difference
      stays above `-margin`.
    - Nowhere must it be shown to be worse: not overall by more than `max_loss` on average, nor in a
      protected slice by more than `slice_margin`, where the randomisation test, corrected for all
      that is tested (Holm, 1979), finds the difference real. A row with too few queries is shown,
      not judged.
    - Both hold against the current release and, figure by figure, against the best one before it;
      where that one cannot be compared, the losses since then are added up.

    Args:
        tables: The first one is of the deciding queries against the current release.
        current: Version of the current release.
        anchors: The best release at each guarded figure.
        params: The `promote` section.
    """
    overall = _row(tables[0], OVERALL) if tables else None
    seen = overall.queries if overall else 0
    if overall is None or seen < params.min_queries:
        text = (
            f"{seen} judged queries have a relevant item that both have; at least "
            f"{params.min_queries} are needed to compare (promote.min_queries); "
            "another shop needs a folder of its own"
        )
        return [Rule("queries", passed=False, text=text)]
    deciding = tables[0].query_set
    rules = [
        _not_worse(table, row, params.margin)
        for table in tables
        if table.query_set == deciding
        for row in table.rows
        if row.name == OVERALL and row.queries >= params.min_queries
    ]
    return [*rules, *_sure_losses(tables, params), *_added_losses(tables, current, anchors, params)]


def _not_worse(table: Table, row: Row, margin: float) -> Rule:
    text = f"{_case_text(table, row)}; the lower end must be at least {-100 * margin:+.1f} points"
    return Rule(f"overall {table.metric}", row.gap.low >= -margin, text)


def _sure_losses(tables: Sequence[Table], params: PromoteParams) -> list[Rule]:
    """Return a failed rule for every real loss beyond its margin, or one that there is none."""
    cases = [
        (table, row)
        for table in tables
        for row in table.rows
        if row.name in {OVERALL, *params.protected} and row.queries >= params.min_queries
    ]
    real = _holm([row.gap.p_value for _, row in cases], params.level)
    failed = []
    for (table, row), is_real in zip(cases, real, strict=True):
        limit = params.max_loss if row.name == OVERALL else params.slice_margin
        if is_real and row.gap.mean < -limit:
            name = "loss" if row.name == OVERALL else f"slice {row.name}"
            allowed = f"it must not be worse by more than {100 * limit:.1f} for sure"
            text = f"{_case_text(table, row)}; {allowed}"
            failed.append(Rule(f"{name} {table.metric}", passed=False, text=text))
    found = f"{len(failed)} of {len(cases)} figures are worse for sure by more than is allowed"
    return failed or [Rule("losses", passed=True, text=found)]


def _added_losses(
    tables: Sequence[Table], current: str, anchors: Mapping[Key, Anchor], params: PromoteParams
) -> list[Rule]:
    """Return a failed rule for every figure that fell too far since a release that is no more."""
    deciding = [table for table in tables if table.query_set == tables[0].query_set]
    gaps = gaps_against(deciding, current, params.min_queries)
    rules = []
    for key, anchor in anchors.items():
        direct = gaps_against(deciding, anchor.version, params.min_queries)
        if anchor.version == current or key in direct or key not in gaps:
            continue
        limit = params.max_loss if key[1] == OVERALL else params.slice_margin
        total = anchor.lost + gaps[key]
        if gaps[key] < 0 and total < -limit:
            text = (
                f"{key[0]} ({key[1]}) lost {-100 * anchor.lost:.1f} points since {anchor.version}, "
                f"the best so far, and would lose {-100 * gaps[key]:.1f} more; together at most "
                f"{100 * limit:.1f} are allowed"
            )
            rules.append(Rule(f"added {key[0]} {key[1]}", passed=False, text=text))
    return rules


def gaps_against(tables: Sequence[Table], version: str, min_queries: int) -> dict[Key, float]:
    """Return the mean difference of every figure with enough queries against a release."""
    return {
        (table.metric, row.name): row.gap.mean
        for table in tables
        if table.against == version
        for row in table.rows
        if row.queries >= min_queries
    }


def judge_figures(figures: Figures, params: PromoteParams) -> list[Rule]:
    """Return the rules about index recall and latency.

    What a clock measured is told where it decides something: the record of a decision that comes
    out the same is the same.
    """
    is_fast = figures.latency_ms <= params.max_latency_ms
    rules = [
        Rule(
            "index recall",
            figures.index_recall >= params.min_index_recall,
            f"the index finds {figures.index_recall:.3f} of what exact search finds; at least "
            f"{params.min_index_recall} is asked for",
        ),
        Rule(
            "latency",
            is_fast,
            f"95 % of searches take at most {params.max_latency_ms:g} ms of CPU, which is allowed"
            if is_fast
            else f"95 % of searches take at most {figures.latency_ms:.1f} ms of CPU; allowed are "
            f"{params.max_latency_ms:g} ms",
        ),
    ]
    if figures.old_latency_ms is not None:
        # Below a millisecond the ratio is noise of the clock.
        allowed = params.max_latency_ratio * max(figures.old_latency_ms, 1.0)
        is_fast = figures.latency_ms <= allowed
        taken = f"{figures.latency_ms:.1f} ms of CPU, before {figures.old_latency_ms:.1f} ms"
        limit = f"{params.max_latency_ratio:g} times as long"
        text = f"95 % of searches take at most {limit} as before, which is allowed"
        if not is_fast:
            text = f"95 % of searches take {taken}; at most {limit} is allowed"
        rules.append(Rule("latency ratio", is_fast, text))
    return rules


def _row(table: Table, name: str) -> Row | None:
    return next((row for row in table.rows if row.name == name), None)


def _case_text(table: Table, row: Row) -> str:
    """Return what was compared with what, and what came of it."""
    part = "" if row.name == OVERALL else f"{row.name}: "
    gap = row.gap
    return (
        f"{part}{table.metric} of {row.queries} {table.query_set} queries {row.old:.3f} "
        f"({table.against}) -> {row.new:.3f}, {100 * gap.mean:+.1f} points (95 % "
        f"{100 * gap.low:+.1f} to {100 * gap.high:+.1f}, p = {gap.p_value:.2g})"
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
