"""The best release so far: what small losses, one after the other, are measured against.

A candidate that loses a little against the current release may pass; six of them in a row must not.
So every guarded figure remembers the release that was best at it and what was lost since.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Key = tuple[str, str]
"""A guarded figure: metric, and "all" or the name of a slice."""


@dataclass(frozen=True)
class Anchor:
    """The best release at one figure.

    Args:
        version: The release; "" in a manifest means the release that the manifest belongs to.
        lost: The current release's mean minus the best one's, added up over the releases between
            them, at most 0.
    """

    version: str
    lost: float


def read_anchors(
    details: Mapping[str, Any], current: str, keys: Iterable[Key]
) -> dict[Key, Anchor]:
    """Return the anchor of every figure; a figure that was never guarded starts at `current`.

    Args:
        details: Details of the current release's manifest.
        current: Its version.
        keys: The guarded figures.
    """
    stored = details.get("anchors", {})
    anchors = {}
    for metric, name in keys:
        entry = stored.get(metric, {}).get(name, {"version": "", "lost": 0.0})
        anchors[metric, name] = Anchor(entry["version"] or current, float(entry["lost"]))
    return anchors


def next_anchors(
    anchors: Mapping[Key, Anchor],
    against_current: Mapping[Key, float],
    against_best: Mapping[Key, float],
) -> dict[Key, Anchor]:
    """Return the anchors that hold once a candidate is released.

    Args:
        anchors: As they were for the current release.
        against_current: The candidate's mean minus the current release's, by figure.
        against_best: The same against the anchor, where both could be measured; elsewhere the
            losses are added up.
    """
    moved = {}
    for key, anchor in anchors.items():
        lost = against_best.get(key, anchor.lost + against_current.get(key, 0.0))
        moved[key] = anchor if key not in against_current else Anchor(anchor.version, lost)
        if key in against_current and lost >= 0:
            moved[key] = Anchor("", 0.0)
    return moved


def as_details(anchors: Mapping[Key, Anchor]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return anchors for a release's manifest, by metric and slice."""
    stored: dict[str, dict[str, dict[str, Any]]] = {}
    for (metric, name), anchor in anchors.items():
        entry = {"version": anchor.version, "lost": round(anchor.lost, 6)}
        stored.setdefault(metric, {})[name] = entry
    return stored
