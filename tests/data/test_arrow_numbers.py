"""Numbers of Arrow columns are those of `to_numpy`, whatever pieces and gaps they have."""

import numpy as np
import pyarrow as pa
import pytest

from smar.data.arrow_numbers import numbers_of

WHOLE = pa.array([3, None, 1, 2, None, 7], pa.int32())


@pytest.mark.parametrize(
    "column",
    [
        WHOLE,
        WHOLE[1:5],
        WHOLE[2:4],
        pa.array([], pa.int64()),
        pa.array([1.5, None, np.nan, -2.0]),
        pa.chunked_array([[1, 2], [], [3]], pa.int64()),
        pa.chunked_array([[1, None], [None, 3]], pa.int64()),
        pa.chunked_array([], pa.float32()),
        pa.array([None, None]),
        pa.chunked_array([], pa.null()),
    ],
)
def test_numbers_are_those_of_arrow(column: pa.Array):
    expected = np.array([np.nan if each is None else each for each in column.to_pylist()])
    assert np.array_equal(numbers_of(column), expected.astype(np.float64), equal_nan=True)


def test_numbers_in_one_piece_are_not_copied():
    column = pa.array([1.0, 2.0])
    address = numbers_of(column).__array_interface__["data"][0]
    assert address == column.buffers()[1].address
