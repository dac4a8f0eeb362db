"""Membership of texts, as pandas has it."""

import pandas as pd
import pytest

from smar.data.membership import is_in

TEXTS = pd.Series(["a", "b", None, "", "a"], index=[9, 3, 5, 7, 1], dtype=str)


@pytest.mark.parametrize("kind", [set, list, tuple, pd.Index, pd.Series, dict.fromkeys])
@pytest.mark.parametrize("values", [["a", ""], [], ["zz"]])
def test_is_in_is_isin(kind, values: list[str]):
    among = kind(pd.Series(values, dtype=str)) if kind in {pd.Index, pd.Series} else kind(values)
    found = is_in(TEXTS, among)
    pd.testing.assert_series_equal(found, TEXTS.isin(values))
    pd.testing.assert_series_equal(is_in(TEXTS.astype(object), among), found)
    assert is_in(TEXTS[:0], among).empty
