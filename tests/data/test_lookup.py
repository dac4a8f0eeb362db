"""Texts among others, whichever there are more of."""

import numpy as np
import pyarrow as pa
import pytest

from smar.data.lookup import is_among, those_of


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0), (3, 40), (40, 3), (20, 20)])
def test_texts_are_told_that_are_among_others(size: tuple[int, int]):
    rng = np.random.default_rng(0)
    texts, values = ([f"t{n}" for n in rng.integers(30, size=count)] for count in size)
    held, among = pa.array(texts, pa.string()), pa.array(values, pa.string())
    assert is_among(held, among).to_pylist() == [text in values for text in texts]
    assert those_of(among, held).to_pylist() == [value for value in values if value in texts]
