"""Releases as a table for a terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smar.artifacts import Manifest, read_manifest
from smar.errors import ArtifactError
from smar.pages.text_table import aligned
from smar.paths import Paths
from smar.service.registry import KIND, current_version, read_release, versions


def list_releases(root: Path) -> list[dict[str, Any]]:
    """Return version, date, whether it is current, and the main figures of every release.

    In a clone that pulled `models/release` and has no other, that one is the list, marked "pulled".
    """
    current = current_version(root)
    rows = []
    for version in versions(root):
        row: dict[str, Any] = {"version": version, "current": version == current}
        try:
            manifest = read_release(root, version)
        except ArtifactError as error:
            rows.append(row | {"problem": str(error)})
            continue
        rows.append(row | _facts(manifest))
    pulled = Paths(root).release
    if not rows and (pulled / "model").is_dir():
        manifest = read_manifest(pulled, KIND)
        row = {"version": manifest.details["version"], "current": True, "pulled": True}
        rows.append(row | _facts(manifest))
    return rows


def _facts(manifest: Manifest) -> dict[str, Any]:
    details = manifest.details
    facts = {key: details[key] for key in ("previous", "figures")}
    facts["created"] = details.get("created", "")  # a release that came with a pull has none
    return facts | {"git_commit": manifest.git_commit, "counts": dict(manifest.counts)}


def releases_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return one line per release, the current one marked, newest first."""
    if not rows:
        return "No release yet: `dvc repro` makes one when the candidate passes the rules.\n"
    cells: list[tuple[str, ...]] = [("", "release", "created", "replaced", "figures", "commit")]
    for row in reversed(rows):
        mark = "*" if row["current"] else ""
        if "problem" in row:
            cells.append((mark, row["version"], "damaged", "", row["problem"], ""))
            continue
        figures = "  ".join(f"{name} {_figure(value)}" for name, value in row["figures"].items())
        figures += f"  items {row['counts']['items']:,}"
        when = row["created"][:16].replace("T", " ") or "-"
        commit = row["git_commit"][:8] or "-"
        cells.append((mark, row["version"], when, row["previous"] or "-", figures, commit))
    lines = aligned(cells)
    if any(row.get("pulled") for row in rows):
        lines.append("It lies in models/release, where `dvc pull promote` put it.")
    return "\n".join(lines) + "\n"


def _figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
