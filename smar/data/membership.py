"""Texts among others, and what is made of each: pandas looks at each by itself, Arrow at once."""

from collections.abc import Callable, Iterable

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


def is_in(texts: pd.Series, values: Iterable[str]) -> pd.Series:
    """Return which texts are among `values`, as `Series.isin` does; a missing text is not.

    Args:
        texts: Texts, of any index.
        values: A series, an index, an Arrow array, a set: anything that yields texts, without
            missing ones.
    """
    if not isinstance(values, pd.Series | pd.Index | pa.Array):
        values = list(values)
    found = pc.is_in(pa.array(texts, pa.string()), value_set=pa.array(values, pa.string()))
    return pd.Series(found.to_numpy(zero_copy_only=False), index=texts.index)


def each_once(texts: pd.Series, function: Callable[[str], str]) -> pd.Series:
    """Return what a function makes of texts, none of them missing; each distinct one is asked once.

    Args:
        texts: Texts, of any index.
        function: Makes one text of another.
    """
    coded = _whole(pa.array(texts, pa.string())).dictionary_encode()
    made = pa.array(map(function, coded.dictionary.to_pylist()), pa.string())
    return pd.Series(made.take(coded.indices).to_pandas().to_numpy(), texts.index, dtype=str)


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
