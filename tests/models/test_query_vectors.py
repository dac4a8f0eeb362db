"""Queries of several vectors: what is trained, and how far what is served can lie from it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.encode import encode_queries
from smar.models.query_vectors import merge_vectors
from smar.params import ModelParams, QueryVectorParams


def test_merged_score_is_the_softmax_weighted_mean():
    scores = torch.tensor([[[0.1], [0.4], [0.3]]])  # one query, three vectors, one item
    weights = [2.718281828 ** (z / 0.2) for z in (0.1, 0.4, 0.3)]
    expected = sum(w * z for w, z in zip(weights, (0.1, 0.4, 0.3), strict=True)) / sum(weights)
    assert merge_vectors(scores, 0.2).item() == pytest.approx(expected, rel=1e-5)


def test_single_vector_is_left_alone():
    scores = torch.randn(3, 5)
    assert merge_vectors(scores, 0.2) is scores


@pytest.mark.parametrize("beta", [0.01, 0.1, 1.0])
def test_merged_score_lies_below_the_maximum_by_no_more_than_said(beta: float):
    torch.manual_seed(0)
    scores = torch.rand(50, 4, 20) * 2 - 1
    gap = scores.max(dim=1).values - merge_vectors(scores, beta)
    assert float(gap.min()) >= -1e-6
    assert float(gap.max()) <= beta * 3 / 2.718281828 + 1e-6


def test_query_tower_gives_several_unit_vectors(
    tiny_model: Callable[[], DualEncoder], tiny_model_params: ModelParams
):
    single = tiny_model()
    model = build_model(
        tiny_model_params.model_copy(
            update={"query_vectors": QueryVectorParams(count=3, beta=0.1)}
        ),
        query_tokenizer=single.query_tokenizer,
        text_tokenizer=single.text_tokenizer,
        picture_size=(16, 16),
    ).eval()
    vector = encode_queries(model, ["red boot", "a novel"]).vector
    assert vector.shape == (2, 3, 16)
    assert np.allclose(np.linalg.norm(vector, axis=-1), 1, atol=1e-5)
    assert not np.allclose(vector[:, 0], vector[:, 1], atol=1e-2)
