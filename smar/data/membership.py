"""Texts among others, and what is made of each: pandas looks at each by itself, Arrow at once."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.data.arrow_numbers import numbers_of
from smar.data.lookup import is_among

_FAR_MORE = 4


def is_in(texts: pd.Series, values: Iterable[str]) -> pd.Series:
    """Return which texts are among `values`, as `Series.isin` does; a missing text is not.

    Args:
        texts: Texts, of any index.
        values: A series, an index, an Arrow array, a set: anything that yields texts, without
            missing ones.
    """
    if not isinstance(values, pd.Series | pd.Index | pa.Array):
        values = list(values)
    asked, there = (in_one_piece(pa.array(some, pa.string())) for some in (texts, values))
    found = is_among(asked, there)
    return pd.Series(found.to_numpy(zero_copy_only=False), index=texts.index)


def listed(texts: pd.Series) -> list[str]:
    """Return texts as a list, which is gone through ten times as fast; a missing one is None."""
    found: list[str] = pa.array(texts, pa.string()).to_pylist()
    return found


def each_once(texts: pd.Series, function: Callable[[str], str]) -> pd.Series:
    """Return what a function makes of texts, none of them missing; each distinct one is asked once.

    Args:
        texts: Texts, of any index.
        function: Makes one text of another.
    """
    coded = in_one_piece(pa.array(texts, pa.string())).dictionary_encode()
    made = pa.array(map(function, coded.dictionary.to_pylist()), pa.string())
    return column_of(made.take(coded.indices), texts.index)


def column_of(texts: pa.Array, index: pd.Index) -> pd.Series:
    """Return texts as a column of a frame, [R] of [R]; they are not gone through."""
    column: pd.Series = texts.to_pandas()
    return column.set_axis(index)


def rows_of(texts: pa.Array, known: pa.Table, make: Callable[[pa.Array], pa.Table]) -> pa.Table:
    """Return a row for each text, of which only those are made that are not known.

    Args:
        texts: Texts, none of them missing, [R].
        known: Rows by their text, the column `query`.
        make: Makes the rows of texts, with the columns of `known`.
    """
    where = places_of(texts, in_one_piece(known["query"]))
    new = make(texts.filter(pa.array(where < 0)))
    where[where < 0] = len(known) + np.arange(len(new))
    return pa.concat_tables([known, new]).combine_chunks().take(pa.array(where))


def places_of(texts: pa.Array | pa.ChunkedArray, among: pa.Array) -> NDArray[np.int64]:
    """Return the first place of each text among others, [R]; -1 for those that are not there.

    Where there are far more others than texts, those that are texts are found first.
    """
    if len(texts) * _FAR_MORE < len(among):
        few = np.flatnonzero(pc.is_in(among, value_set=in_one_piece(texts)).to_numpy(False))
        found = places_of(texts, among.take(pa.array(few)))
        return np.append(few, -1)[found]
    found = pc.index_in(texts, value_set=among)
    return np.asarray(numbers_of(pc.fill_null(found, -1)), np.int64)


def are_ascending(values: pa.Array | pa.ChunkedArray) -> bool:
    """Return whether each value is greater than the one before it, so that all are distinct."""
    values = in_one_piece(values)
    if pa.types.is_null(values.type):  # no value at all, which Arrow does not compare
        return len(values) < 2
    is_greater = pc.less(values[:-1], values[1:])
    return bool(pc.all(is_greater, skip_nulls=False, min_count=0).as_py())


def in_one_piece(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece; what lies in one already is not copied."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
