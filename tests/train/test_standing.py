"""What may stand against what, packed into bits."""

import numpy as np

from smar.train import standing
from smar.train.dataset import TrainingData
from smar.train.standing import Bits, Standing


def test_packed_rows_are_those_of_the_whole(tiny_data: TrainingData, monkeypatch):
    items = np.arange(13)
    queries, target = np.arange(11) % len(tiny_data.queries), np.arange(11)
    whole = Standing(tiny_data, queries, items, target)
    expected = whole.rows(slice(None))
    assert 0 < expected[0].mean() < 1
    monkeypatch.setattr(standing, "_BLOCK", 3 * len(items))  # three queries at a time
    for bits, plain in zip(whole.packed(), expected, strict=True):
        assert bits.packed.shape == (11, 2)
        assert np.array_equal(bits.rows(slice(None)), plain)
        assert np.array_equal(bits.rows(slice(4, 9)), plain[4:9])


def test_bits_of_a_whole_byte_have_no_column_more():
    bits = Bits(np.array([[255]], np.uint8), 8)
    assert bits.rows(slice(0, 1)).tolist() == [[True] * 8]
