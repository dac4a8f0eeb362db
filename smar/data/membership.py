"""Which texts are among others: pandas looks at every one of a million by itself, Arrow at once."""

from collections.abc import Iterable

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
