"""Texts among others, where one side has far more of them than the other.

What is looked up costs less than what it is looked up in: a table of the few stays in the cache.
"""

import pyarrow as pa
import pyarrow.compute as pc


def is_among(texts: pa.Array, values: pa.Array) -> pa.Array:
    """Return which texts are among values, [n] of [n]; a missing text is not, no value may be.

    Where there are more values than texts, those that are texts are found first.
    """
    if len(values) > len(texts):
        values = those_of(values, texts)
    return pc.is_in(texts, value_set=values)


def those_of(values: pa.Array, texts: pa.Array) -> pa.Array:
    """Return the values that are among texts, in their order."""
    return values.filter(pc.is_in(values, value_set=texts))
