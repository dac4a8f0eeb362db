"""Releases as a table for a terminal."""

from collections.abc import Sequence
from typing import Any


def releases_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return one line per release, the current one marked, newest first."""
    if not rows:
        return "No release yet: `dvc repro` makes one when the candidate passes the gate.\n"
    cells: list[tuple[str, ...]] = [("", "release", "created", "replaced", "figures", "commit")]
    for row in reversed(rows):
        mark = "*" if row["current"] else ""
        if "problem" in row:
            cells.append((mark, row["version"], "damaged", "", row["problem"], ""))
            continue
        figures = "  ".join(f"{name} {_figure(value)}" for name, value in row["figures"].items())
        figures += f"  items {row['counts']['items']:,}"
        when, commit = row["created"][:16].replace("T", " "), row["git_commit"][:8]
        cells.append((mark, row["version"], when, row["previous"] or "-", figures, commit))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    if any(row.get("pulled") for row in rows):
        lines.append("It lies in models/release, where `dvc pull promote` put it.")
    return "\n".join(lines) + "\n"


def _figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
