"""Searches by several vectors at once against every item's best score."""

import numpy as np
import pytest

from smar.index.ann import gated_items, gated_queries
from smar.index.building import build_index
from smar.index.exact import exact_search
from smar.index.query_vectors import search_vectors
from smar.params import IndexParams


def unit(*shape: int) -> np.ndarray:
    rows = np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.mark.parametrize("k", [1, 7, 60])
def test_merged_search_equals_the_best_score_over_all_vectors(k: int):
    queries, items = unit(9, 4, 8), unit(40, 8)
    scores, rows = search_vectors(lambda v, n: exact_search(v, items, n), queries, k)
    truth = np.einsum("qkd,nd->qkn", queries, items).max(axis=1)
    found = min(k, 40)
    assert (rows[:, :found] == np.argsort(-truth, axis=1, kind="stable")[:, :k]).all()
    assert np.allclose(scores[:, :found], -np.sort(-truth, axis=1)[:, :k], atol=1e-6)
    assert (rows[:, 40:] == -1).all()


def test_index_answers_gated_queries_of_several_vectors():
    queries, text, both, gate = unit(5, 3, 8), unit(30, 8), unit(31, 8)[:30], np.linspace(0, 1, 5)
    params = IndexParams(
        exact_below=100, recall_target=0.9, recall_at=5, sample_queries=5, word_share=0.0
    )
    vectors = gated_items(text, both)
    index = build_index(vectors, [str(n) for n in range(30)], params, lambda: vectors)
    scores, rows = index.search(gated_queries(queries, gate.astype(np.float32)), 6)
    share = gate[:, None, None]
    mixed = (1 - share) * (queries @ text.T) + share * (queries @ both.T)
    expected = mixed.max(axis=1)
    assert (rows == np.argsort(-expected, axis=1)[:, :6]).all()
    assert np.allclose(scores, -np.sort(-expected, axis=1)[:, :6], atol=1e-5)
