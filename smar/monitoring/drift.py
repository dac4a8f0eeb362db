"""All signals between two snapshots, with Evidently's distances of the columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smar.monitoring.evidently_report import column_distances
from smar.monitoring.frames import column_frames
from smar.monitoring.signals import (
    Signal,
    click_signal,
    column_signals,
    embedding_signals,
    quality_signal,
    share_signals,
)
from smar.monitoring.snapshot import Snapshot
from smar.monitoring.verdict import DriftVerdict, judge
from smar.params import DriftParams


@dataclass(frozen=True)
class ShopChange:
    """Two snapshots with what moved between them.

    Args:
        reference: The release's.
        current: Today's.
        verdict: What to do, with every signal.
    """

    reference: Snapshot
    current: Snapshot
    verdict: DriftVerdict


def compare_snapshots(
    reference: Snapshot,
    current: Snapshot,
    params: DriftParams,
    *,
    facts: Sequence[Signal] = (),
    report: Path | None = None,
) -> ShopChange:
    """Return what moved between two snapshots.

    Args:
        reference: Snapshot of the data that the release was made from.
        current: Snapshot of today's data.
        params: The thresholds.
        facts: Further signals.
        report: Where Evidently's page goes, None for no page.
    """
    frames = column_frames(reference, current)
    embeddings = embedding_signals(reference, current)
    distances = column_distances(frames, embeddings, report)
    signals = [
        *facts,
        *column_signals(frames, distances),
        *share_signals(frames),
        click_signal(reference, current),
        quality_signal(reference, current, params.window_days),
        *embeddings,
    ]
    return ShopChange(reference, current, judge(signals, params))


def new_queries(change: ShopChange, most: int) -> list[tuple[str, int, int]]:
    """Return queries that rose most: text, occurrences in the reference's sample and in today's.

    Counts of the reference are scaled to the size of today's sample.
    """
    before = change.reference.searches["query"].value_counts()
    now = change.current.searches["query"].value_counts()
    scale = len(change.current.searches) / max(1, len(change.reference.searches))
    risen = (now - scale * before.reindex(now.index).fillna(0)).sort_values(ascending=False)
    texts = [str(text) for text in risen[risen > 0].head(most).index]
    return [(text, round(scale * int(before.get(text, 0))), int(now[text])) for text in texts]


def click_rates(snapshot: Snapshot, most: int) -> NDArray[np.float64]:
    """Return click-through at positions 1 to `most`, NaN where nothing was shown."""
    table = snapshot.clicks.head(most)
    shown = table["shown"].to_numpy(float)
    clicks = table["clicks"].to_numpy(float)
    return np.divide(clicks, shown, out=np.full(len(table), np.nan), where=shown > 0)
