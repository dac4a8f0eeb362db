"""What speaks against items, compiled: `exclusive_words` says the same, bit for bit.

Shapes: N items, W words that may exclude others, P pairs of an item and a word that it has, V
words of a query, C items looked at.
"""

from functools import partial
from typing import Any

import numpy as np
from numba import types

from smar.index.compiling import array, compiled

_given = partial(array, readonly=True)
_ITEMS = types.Tuple((_given(types.int64), _given(types.int16), _given(types.float32)))
_ASKED = types.Tuple((_given(types.int64), _given(types.float32)))


@compiled(
    types.void(
        _ITEMS, _given(types.float32, 2), _ASKED, _given(types.int64), array(types.float32)
    )
)  # fmt: skip
def against(items: Any, excludes: Any, asked: Any, rows: Any, found: Any) -> None:
    """Find how much speaks against some items, before it is weighed.

    Args:
        items: Where the words of each item begin, and the end, [N + 1]; their places, and how
            surely the item has each, [P] each.
        excludes: How much the word of a row is excluded by that of a column, [W, W].
        asked: Places of the query's words, and what part of it each is, [V] each.
        rows: The items, [C].
        found: Is given what speaks against each, [C]; zeros.
    """
    starts, numbers, strengths = items
    places, parts = asked
    for item in range(len(rows)):
        first, end = starts[rows[item]], starts[rows[item] + 1]
        for word in range(len(places)):
            others, own = np.float32(0), np.float32(0)
            for pair in range(first, end):
                other = excludes[places[word], numbers[pair]] * strengths[pair]
                others = max(others, other)
                if numbers[pair] == places[word]:
                    own = strengths[pair]
            found[item] += parts[word] * others * (np.float32(1) - own)
