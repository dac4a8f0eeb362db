"""Which items are as an earlier run saw them, by what it saw: nothing of these is named again.

To compare a row with what it was takes a fraction of what a hash of it takes, and nothing is left
to chance.

Shapes: N items now, M before.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.data.membership import in_one_piece, places_of

_ID = "item_id"


def places_before(now: pa.Table, before: pa.Table) -> NDArray[np.int64]:
    """Return where each item was in a table of before by its id, -1 for one that is new, [N]."""
    ids, earlier = in_one_piece(now[_ID]), in_one_piece(before[_ID])
    return np.arange(len(now)) if ids.equals(earlier) else places_of(ids, earlier)


def unchanged(
    now: pa.Table, before: pa.Table, places: NDArray[np.int64], columns: Iterable[str]
) -> NDArray[np.int64]:
    """Return where each item was if some columns, none with a null, say the same of it, else -1.

    Args:
        now: Items, [N].
        before: Items of an earlier run, [M].
        places: As of `places_before`, [N].
        columns: What is compared.
    """
    same = places >= 0
    if not same.any():
        return places
    is_aligned = is_in_place(places, len(before))
    where = pa.array(np.maximum(places, 0))
    for name in columns:
        earlier = in_one_piece(before[name])
        earlier = earlier if is_aligned else earlier.take(where)
        equal = pc.fill_null(pc.equal(in_one_piece(now[name]), earlier), fill_value=False)
        same &= equal.to_numpy(zero_copy_only=False)
    return np.where(same, places, -1)


def is_in_place(places: NDArray[np.int64], size: int) -> bool:
    """Return whether items are the so many of before, each where it was."""
    return len(places) == size and bool((places == np.arange(size)).all())
