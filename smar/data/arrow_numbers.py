"""Numbers of Arrow columns as arrays, without pandas, which takes longer to load than a search."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def numbers_of(column: Any) -> NDArray[Any]:
    """Return a column of numbers, [N], as float64 with NaN for null where there is any.

    Arrow's own `to_numpy` loads pandas. What lies in one piece is not copied. A column that never
    held a value (Arrow's null type) is all NaN.
    """
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    validity, held = column.buffers()
    if not len(column):
        return np.empty(0, np.int64)
    whole = pa.Array.from_buffers(column.type, len(column), [None, held], offset=column.offset)
    numbers = np.from_dlpack(whole)
    if not column.null_count:
        return numbers
    bits = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")
    is_there = bits[column.offset :][: len(column)] == 1
    return np.where(is_there, numbers.astype(np.float64), np.nan)
