"""The drift report: what moved, how much, and examples, on one page that takes a minute."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smar.monitoring.drift import ShopChange, click_rates, new_queries
from smar.monitoring.signals import Signal
from smar.monitoring.snapshot import PICTURES
from smar.monitoring.verdict import KEEP, JudgedSignal
from smar.pages.gallery import picture_uri
from smar.pages.render import write_page

_QUERIES = 12
_POSITIONS = 8
_MEANING = {
    "keep": "Nothing moved that asks for work.",
    "refresh": "The catalogue moved: index today's items again with the same model.",
    "retrain": "What shoppers ask for, or what items are like, moved: train again.",
}


def write_empty_page(path: Path) -> None:
    """Write the page of an experiment that no release came before."""
    write_page(path, "drift_none.html.j2")


def write_drift_page(path: Path, change: ShopChange, release: str) -> None:
    """Write the page; `release` is the version that today is compared with."""
    verdict = change.verdict
    write_page(
        path,
        "drift.html.j2",
        verdict=verdict.verdict,
        meaning=_MEANING[verdict.verdict],
        calm=verdict.verdict == KEEP,
        release=release,
        rows=[_cells(one) for one in verdict.judged],
        queries=new_queries(change, _QUERIES),
        clicks=_click_rows(change),
        pictures=[
            ("Then", [picture_uri(one) for one in change.reference.pictures[:PICTURES]]),
            ("Now", [picture_uri(one) for one in change.current.pictures[:PICTURES]]),
        ],
    )


def _cells(judged: JudgedSignal) -> dict[str, str]:
    signal: Signal = judged.signal
    return {
        "state": signal.action if judged.alarm else "",
        "text": signal.text,
        "before": signal.before,
        "now": signal.now,
        "value": f"{signal.value:.3f}",
        "statistic": signal.statistic,
        "threshold": f"{judged.threshold:g}",
        "p_value": "" if np.isnan(signal.p_value) else f"{signal.p_value:.2g}",
        "note": judged.note,
    }


def _click_rows(change: ShopChange) -> list[tuple[int, str, str]]:
    before, now = (click_rates(one, _POSITIONS) for one in (change.reference, change.current))
    return [
        (place + 1, _percent(before, place), _percent(now, place))
        for place in range(max(len(before), len(now)))
    ]


def _percent(rates: NDArray[np.float64], place: int) -> str:
    if place >= len(rates) or np.isnan(rates[place]):
        return "-"
    return f"{rates[place]:.1%}"
