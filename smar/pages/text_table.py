"""Tables as text for a terminal."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], *, left: int | None = None) -> list[str]:
    """Return one line per row, every column as wide as its widest cell, two blanks apart.

    Args:
        rows: Cells, equally many in each row; at least one row.
        left: So many columns stand at the left edge, numbers at the right; None for all.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    edge = len(widths) if left is None else left
    return [
        "  ".join(
            cell.ljust(width) if place < edge else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
