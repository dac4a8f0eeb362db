"""The loops over vectors rounded to 8 bits, compiled: `rounded` calls them.

Shapes: Q queries, N items, C items looked at, k results, L vector length.
"""

from typing import Any

import numpy as np
from numba import types

from smar.index.compiling import array, compiled

_BLOCK = 256  # items that all queries are compared with before the next ones are read


@compiled(
    types.void(
        array(types.float32, 2, readonly=True), array(types.int8, 2), array(types.float32),
        array(types.float32),
    )
)  # fmt: skip
def round_rows(rows: Any, codes: Any, steps: Any, errors: Any) -> None:
    """Round vectors to 8 bits, each by a step of its own.

    Args:
        rows: The vectors, [N, L].
        codes: Is given whole numbers from -127 to 127, [N, L].
        steps: Is given what 1 stands for in each row, [N].
        errors: Is given the length of what rounding took from or added to each, at most, [N].
    """
    for row in range(len(rows)):
        largest = np.float32(0.0)
        for place in range(rows.shape[1]):
            largest = max(largest, abs(rows[row, place]))
        steps[row] = largest / np.float32(127.0)
        inverse = 0.0 if steps[row] == 0.0 else 1.0 / np.float64(steps[row])
        squares = 0.0
        for place in range(rows.shape[1]):
            value = np.float64(rows[row, place])
            code = min(127.0, max(-127.0, np.rint(value * inverse)))
            codes[row, place] = np.int8(code)
            squares += (value - np.float64(steps[row]) * code) ** 2
        errors[row] = np.float32(np.sqrt(squares) * (1 + 1e-6) + 1e-9)


@compiled()
def _lowest_of(lows: Any, size: int, low: float) -> int:
    """Put a number among the largest, a heap with the least of them on top; return how many."""
    if size < len(lows):
        place = size
        while place and lows[(place - 1) >> 1] > low:
            lows[place] = lows[(place - 1) >> 1]
            place = (place - 1) >> 1
        lows[place] = low
        return size + 1
    place = 0
    while 2 * place + 1 < size:
        below = 2 * place + 1
        if below + 1 < size and lows[below + 1] < lows[below]:
            below += 1
        if lows[below] >= low:
            break
        lows[place] = lows[below]
        place = below
    lows[place] = low
    return size


@compiled()
def _product(codes: Any, row: int, of_query: Any) -> float:
    """Return the product of an item and a query, whole numbers that 32 bits hold.

    Said at every step, for Numba would have 64, and the processor a fifth of the speed.
    """
    total = np.int32(0)
    for number in range(len(of_query)):
        product = np.int32(np.int32(codes[row, number]) * np.int32(of_query[number]))
        total = np.int32(total + product)
    return np.float64(total)


@compiled(
    types.void(
        types.Tuple((array(types.int8, 2), array(types.float32), array(types.float32))),
        array(types.int64, readonly=True),
        types.Tuple((array(types.int16, 2), array(types.float64), array(types.float64))),
        array(types.float64), array(types.float32, 2), array(types.float32, 2),
    )
)  # fmt: skip
def scan(items: Any, rows: Any, queries: Any, slack: Any, highs: Any, lows: Any) -> None:
    """Find between what bounds the score of every item lies.

    Args:
        items: Codes, steps and errors of `round_rows`.
        rows: The items to look at, [C].
        queries: Whole numbers, [Q, L], what 1 stands for, and lengths, [Q] each.
        slack: What a score may be off besides, [Q].
        highs: Is given the most that each score can be, [Q, C].
        lows: Is given the largest of the least that scores can be, the least of them first, [Q, k].
    """
    codes, steps, errors = items
    whole, units, lengths = queries
    for first in range(0, len(rows), _BLOCK):
        last = min(first + _BLOCK, len(rows))
        for query in range(len(whole)):
            of_query, own_highs, own_lows = whole[query], highs[query], lows[query]
            size = min(first, len(own_lows))
            for place in range(first, last):
                row = rows[place]
                score = _product(codes, row, of_query) * steps[row] * units[query]
                wide = errors[row] * lengths[query] + slack[query]
                own_highs[place] = np.float32(score + wide)
                low = np.float32(score - wide)
                if size < len(own_lows) or low > own_lows[0]:
                    size = _lowest_of(own_lows, size, low)
