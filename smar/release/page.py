"""Pages about releases: the decision about a candidate, and what differs between two."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from smar.data.images import ImageStore
from smar.judging.runs import Run, grades_of
from smar.pages.gallery import Example, Group, Strip, Tile, item_tile
from smar.pages.render import write_page
from smar.paths import Paths
from smar.release.comparison import OVERALL, Comparison, Row, Table
from smar.release.rules import Decision

_SHOWN = 8


def row_cells(rows: Sequence[Row], protected: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return a comparison's table as text cells."""
    return [
        {
            "name": row.name.replace("_", " "),
            "protected": row.name in protected,
            "queries": row.queries,
            "old": f"{row.old:.3f}",
            "new": f"{row.new:.3f}",
            "gap": f"{100 * row.gap.mean:+.1f}",
            "interval": f"{100 * row.gap.low:+.1f} to {100 * row.gap.high:+.1f}",
            "p_value": f"{row.gap.p_value:.2g}",
            "direction": "up" if row.gap.low > 0 else "down" if row.gap.high < 0 else "",
        }
        for row in rows
    ]


def guarded_cells(tables: Sequence[Table]) -> list[dict[str, Any]]:
    """Return the overall figure of every table that a decision is made on, as text cells."""
    return [
        {"against": table.against, "set": table.query_set, "metric": table.metric} | cells
        for table in tables
        for cells in row_cells([row for row in table.rows if row.name == OVERALL])
    ]


def write_decision_page(
    path: Path, decision: Decision, groups: Sequence[Group], protected: Sequence[str]
) -> None:
    """Write the page of a decision: verdict, rules, both tables, the queries that moved most."""
    write_page(
        path,
        "promote.html.j2",
        decision=decision,
        shared=row_cells(decision.shared, protected),
        served=row_cells(decision.served, protected),
        guarded=guarded_cells(decision.tables),
        groups=groups,
    )


def moved_queries(
    comparison: Comparison,
    primary: str,
    items: pd.DataFrame,
    images: ImageStore | None,
    labels: tuple[str, str],
    most: int,
) -> list[Group]:
    """Return the queries that lost and gained most, with the pictures found before and after.

    Args:
        comparison: The comparison over shared items.
        primary: The metric.
        items: Item table by item id, of the newer side.
        images: Today's picture store, None if there is none.
        labels: Names of the older and the newer side.
        most: Queries of each kind.
    """
    new, old = (comparison.values[name][primary] for name in ("new", "old"))
    order = np.argsort(new - old, kind="stable")
    lost = [int(row) for row in order[:most] if new[row] < old[row]]
    gained = [int(row) for row in order[::-1][:most] if new[row] > old[row]]
    groups = []
    for heading, rows in (("Lost most", lost), ("Gained most", gained)):
        examples = [
            _example(comparison, row, primary, items.loc[comparison.item_ids], images, labels)
            for row in rows
        ]
        if examples:
            groups.append(Group(heading, f"By {primary}.", examples))
    return groups


def open_images(paths: Paths) -> ImageStore | None:
    """Return the project's picture store, None where there is none (a clone of a release)."""
    return ImageStore.of(paths) if paths.images.is_dir() else None


def _example(
    comparison: Comparison,
    row: int,
    primary: str,
    items: pd.DataFrame,
    images: ImageStore | None,
    labels: tuple[str, str],
) -> Example:
    strips = []
    for label, name, run in (
        (labels[0], "old", comparison.old),
        (labels[1], "new", comparison.new),
    ):
        value = comparison.values[name][primary][row]
        tiles = _tiles(run, comparison, row, items, images)
        strips.append(Strip(label, f"{primary} {value:.2f}", tiles))
    relevant = int(comparison.queries.relevant[row].sum())
    note = f"{relevant} relevant item{'s' if relevant != 1 else ''} among those both have"
    return Example(comparison.queries.texts[row], note, None, strips)


def _tiles(
    run: Run, comparison: Comparison, row: int, items: pd.DataFrame, images: ImageStore | None
) -> list[Tile]:
    grades = grades_of(run, comparison.queries)[row]
    tiles = []
    for rank, number in enumerate(run.rows[row, :_SHOWN]):
        if number < 0:
            break
        item = items.iloc[int(number)]
        ids = np.asarray(item["image_ids"], np.int64)[:1]
        tiles.append(
            item_tile(
                item.to_dict() | {"item_id": item.name},
                images.read(ids)[0] if images and len(ids) else None,
                badge=f"grade {grades[rank]:g}" if grades[rank] else "",
                relevant=bool(grades[rank] >= comparison.queries.relevant_grade),
                note=f"rank {rank + 1}",
            )
        )
    return tiles
