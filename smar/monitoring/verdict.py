"""From signals to a verdict: keep the release, refresh its index, or retrain its model."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from smar.monitoring.signals import REFRESH, RETRAIN, Signal
from smar.params import DriftParams

KEEP = "keep"
VERDICTS = (KEEP, REFRESH, RETRAIN)


@dataclass(frozen=True)
class JudgedSignal:
    """A signal with its threshold.

    Args:
        signal: The signal.
        threshold: A larger change is an alarm, if it is real.
        alarm: Whether it is one.
        note: Why not, where a change beyond the threshold is no alarm; else "".
    """

    signal: Signal
    threshold: float
    alarm: bool
    note: str

    @property
    def reason(self) -> str:
        """What moved, how much and from which threshold on, in a sentence."""
        signal = self.signal
        sure = "" if math.isnan(signal.p_value) else f", p = {signal.p_value:.1g}"
        return (
            f"{signal.action}: {signal.text}: {signal.before} -> {signal.now} "
            f"({signal.statistic} {signal.value:.3f}, threshold {self.threshold:g}{sure})"
        )


@dataclass(frozen=True)
class DriftVerdict:
    """What to do, and why.

    Args:
        verdict: "keep", "refresh" (index today's catalogue with the same model) or "retrain".
        judged: Every signal, alarms first, then by how close it came.
    """

    verdict: str
    judged: list[JudgedSignal]

    @property
    def reasons(self) -> list[str]:
        """One sentence for every alarm."""
        return [one.reason for one in self.judged if one.alarm]

    def as_metrics(self) -> dict[str, Any]:
        """Return the verdict in plain types, NaN as None."""
        return {
            "verdict": self.verdict,
            "reasons": self.reasons,
            "alarms": len(self.reasons),
            "signals": {
                one.signal.name: {
                    "value": round(one.signal.value, 6),
                    "threshold": one.threshold,
                    "p_value": None if math.isnan(one.signal.p_value) else one.signal.p_value,
                    "alarm": int(one.alarm),
                }
                for one in sorted(self.judged, key=lambda one: one.signal.name)
            },
        }

    def as_dict(self) -> dict[str, Any]:
        """Return everything in plain types."""
        return {"verdict": self.verdict, "judged": [asdict(one) for one in self.judged]}


def judge(signals: Sequence[Signal], params: DriftParams) -> DriftVerdict:
    """Return the verdict: the strongest action that any alarm asks for."""
    tested = sum(not math.isnan(signal.p_value) for signal in signals)
    judged = [_judge(signal, params, params.level / max(1, tested)) for signal in signals]
    actions = {one.signal.action for one in judged if one.alarm}
    verdict = RETRAIN if RETRAIN in actions else REFRESH if REFRESH in actions else KEEP
    order = sorted(judged, key=lambda one: (not one.alarm, -one.signal.value / one.threshold))
    return DriftVerdict(verdict, order)


def _judge(signal: Signal, params: DriftParams, level: float) -> JudgedSignal:
    threshold = _threshold(signal, params)
    note = ""
    if signal.value > threshold:
        if signal.rows < params.min_rows:
            note = f"only {signal.rows} rows"
        elif not math.isnan(signal.p_value) and signal.p_value > level:
            note = "may be chance"
    return JudgedSignal(signal, threshold, signal.value > threshold and not note, note)


def _threshold(signal: Signal, params: DriftParams) -> float:
    group, _, column = signal.name.partition(".")
    by_name = {
        "items.not_indexed": params.max_not_indexed,
        "items.new_category": params.max_new_category,
        "engagement.click_through": params.max_click_change,
        "quality.clicks": params.max_quality_fall,
    }
    if signal.name in by_name:
        return by_name[signal.name]
    if group == "embeddings":
        return params.max_auc
    is_share = column in {"unknown_words", "no_picture", "zero_results", "zero_clicks"}
    return params.max_share_rise if is_share else params.max_distance
