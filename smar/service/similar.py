"""Items that are like an item."""

import numpy as np

from smar.errors import Problem, RequestError
from smar.index.allowed import Allowed
from smar.service.filters import Filter
from smar.service.finding import Parts
from smar.service.hits import Hit

_GROUP = "group_id"


def row_of(parts: Parts, item_id: str) -> int:
    """Return the row of an item.

    Raises:
        RequestError: If there is no such item.
    """
    row = parts.items.row(item_id)
    if row < 0:
        where = parts.release or "the working tree"
        raise RequestError([Problem("item_id", f"there is no item '{item_id:.80}' in {where}")])
    return row


def similar(parts: Parts, item_id: str, k: int, condition: Filter) -> list[Hit]:
    """Return the k items most like one in text and pictures, fewer if fewer are allowed.

    A score is (S_t . S_t' + S_m . S_m') / 2, in [-1, 1]. The item itself and those of its group,
    which are the same product in another size or colour, are left out.

    Args:
        parts: A release.
        item_id: The item.
        k: How many, at least 1.
        condition: Which items are allowed.

    Raises:
        RequestError: If there is no such item, or the filter asks for what items do not have.
    """
    row = row_of(parts, item_id)
    if problems := parts.fields.problems_of(condition):
        raise RequestError(problems)
    mask = parts.fields.mask(condition)
    groups = parts.fields.column(_GROUP).keys()
    if groups[row] >= 0:
        mask &= groups != groups[row]
    mask[row] = False
    allowed = Allowed(mask)
    if not len(allowed):
        return []
    vectors = parts.index.vectors
    scores, rows = vectors.search(
        np.float32(0.5) * vectors.gathered(np.array([row])), min(k, len(allowed)), allowed
    )
    found = rows[0][rows[0] >= 0]
    hits = zip(parts.items.read(found), found.tolist(), scores[0].tolist(), strict=False)
    return [
        Hit(rank, round(score, 6), item, parts.items.pictures_of(at))
        for rank, (item, at, score) in enumerate(hits, start=1)
    ]


def item_of(parts: Parts, item_id: str) -> Hit:
    """Return an item with all its fields and pictures, as a hit of rank 1 without a score.

    Raises:
        RequestError: If there is no such item.
    """
    row = row_of(parts, item_id)
    return Hit(1, 0.0, parts.items.read(np.array([row]))[0], parts.items.pictures_of(row))
