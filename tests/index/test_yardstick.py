"""Recall of an index is that of texts or of items as queries, whichever is worse."""

import numpy as np

from smar.index.exact import exact_search
from smar.index.yardstick import Yardstick, recall_of

RNG = np.random.default_rng(8)


def unit(*shape: int) -> np.ndarray:
    rows = RNG.standard_normal(shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def vectors_of(size: int) -> np.ndarray:
    return np.concatenate([unit(size, 4), unit(size, 4)], axis=1)


def test_recall_is_the_share_of_the_true_best():
    truth = np.array([[0, 1, 2, 3], [4, 5, 6, 7]])
    assert recall_of(truth[:, ::-1], truth) == 1.0
    assert recall_of(np.array([[0, 1, 8, 9], [4, -1, -1, -1]]), truth) == 3 / 8


def test_items_ask_with_their_own_multimodal_vector_at_gate_one_half():
    vectors = vectors_of(30)
    asked = Yardstick.of(unit(3, 8), vectors, 500, 5).queries[1]
    assert len(asked) == 30
    np.testing.assert_allclose(asked[:, :4], vectors[:, 4:] / 2)
    np.testing.assert_allclose(asked[:, 4:], vectors[:, 4:] / 2)
    few = Yardstick.of(unit(3, 8), vectors, 4, 5).queries[1]
    np.testing.assert_array_equal(few, asked[[0, 9, 19, 29]])


def test_the_worse_set_counts_whichever_it_is():
    vectors = vectors_of(40)
    yardstick = Yardstick.of(unit(6, 8), vectors, 10, 5)
    assert yardstick.recall(lambda queries: exact_search(queries, vectors, 9)[1]) == 1.0
    for worse in (6, 10):  # queries, items

        def search(queries: np.ndarray, worse: int = worse) -> np.ndarray:
            found = exact_search(queries, vectors, 5)[1]
            if len(queries) == worse:
                found[:, 3:] = -1
            return found

        assert yardstick.recall(search) == 3 / 5


def test_a_catalogue_without_a_query_is_measured_by_its_items():
    yardstick = Yardstick.of(np.empty((0, 8), np.float32), vectors_of(7), 50, 7)
    assert len(yardstick.queries) == 1
    assert yardstick.recall(lambda queries: np.tile(np.arange(7), (len(queries), 1))) == 1.0
