"""What decides, first: an evaluation and a promotion as a few lines for the page of their asset."""

from pathlib import Path
from typing import Any

import dagster as dg

from orchestration.records import read_record
from smar.paths import Paths
from smar.service.registry import current_version

_SYSTEMS = {"hybrid": "as served", "bm25": "BM25", "text": "text alone"}


def evaluation(root: Path, primary: str) -> dict[str, Any]:
    """Return what an evaluation says at a glance, {} if there is none.

    Args:
        root: The project.
        primary: The metric that decides, for example "recall@50".
    """
    paths = Paths(root)
    found = read_record(paths.outcome("evaluate"))
    sets = {name: part for name, part in found.items() if _is_set(part)}
    if not sets:
        return {}
    released = read_record(paths.releases / "current" / "metrics" / "evaluate.json")
    head = (
        f"| {primary} | queries | " + " | ".join(_SYSTEMS.values()) + " | release | weakest slice |"
    )
    lines = [head, "|---" * (4 + len(_SYSTEMS)) + "|"]
    for name, part in sets.items():
        cells = [_figure(part.get(system, {}).get(primary)) for system in _SYSTEMS]
        before = _figure(released.get(name, {}).get("hybrid", {}).get(primary))
        cells += [before, _weakest(part, primary)]
        lines.append(f"| {name} | {part['queries']} | " + " | ".join(cells) + " |")
    checks = [f"**{one['name']}**: {one['text']}" for one in found.get("checks", [])]
    shown: dict[str, Any] = {"what decides": dg.MetadataValue.md("\n".join([*checks, "", *lines]))}
    shown["release"] = current_version(root) or "none yet"
    shown["all figures"] = dg.MetadataValue.json(found)
    return shown


def promotion(root: Path) -> dict[str, Any]:
    """Return what a promotion decided and why, {} if there was none."""
    found = read_record(Paths(root).promotion_report / "decision.json")
    if not found:
        return {}
    lines = [f"**{found['verdict']}**; the release is {current_version(root) or 'none yet'}", ""]
    lines += [
        f"- {'holds' if rule['passed'] else '**broken**'}: {rule['name']}: {rule['text']}"
        for rule in found["rules"]
    ]
    return {"what decides": dg.MetadataValue.md("\n".join(lines))}


def _is_set(part: Any) -> bool:
    return isinstance(part, dict) and "queries" in part and "hybrid" in part


def _weakest(part: dict[str, Any], primary: str) -> str:
    slices = part["hybrid"].get("slices", {})
    found = {
        name: figures[primary]
        for name, figures in slices.items()
        if isinstance(figures, dict) and isinstance(figures.get(primary), float)
    }
    if not found:
        return ""
    name = min(found, key=lambda one: found[one])
    return f"{name.replace('_', ' ')} {found[name]:.3f}"


def _figure(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else "-"
