"""Negatives mined from a model's own index."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from smar.data.images import ImageStore
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_items, encode_queries
from smar.params import NegativeParams
from smar.train.dataset import TrainingData
from smar.train.guide import Guide
from smar.train.mining import hard_pools, mine_negatives, needs_guide


def test_mined_items_rank_high_and_are_never_right(
    tiny_model: Callable[[], DualEncoder],
    tiny_data: TrainingData,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
):
    model = tiny_model().eval()
    params = NegativeParams(impressed=0, mined=4, first_rank=3, last_rank=9)
    guide = Guide.of(model, tiny_data, tiny_items, tiny_images)
    pool = mine_negatives(guide, tiny_data, params, seed=0)
    made = encode_items(model, tiny_items, tiny_images, 24)
    queries = np.unique(tiny_data.real.query)
    vector = encode_queries(model, [tiny_data.queries[row] for row in queries]).vector
    scores = vector @ (made.text + made.multimodal).T / 2  # an untrained gate says 0.5
    order = np.argsort(-scores, axis=1, kind="stable")[:, 2:9]
    some = 0
    for place, query in enumerate(queries):
        one = np.array([query])
        known = tiny_data.known(one, order[place])[0]
        held = tiny_data.holds_words(one, order[place])[0]
        expected = set(order[place][~known & ~held].tolist())
        found = set(pool.items[query].indices.tolist())
        assert found == expected
        some += len(found)
    assert some > len(queries)
    assert pool.per_step == 4
    assert not model.training


def test_nothing_is_mined_unless_asked_for(
    tiny_data: TrainingData,
):
    params = NegativeParams(impressed=3, mined=0, first_rank=1, last_rank=5)
    assert not needs_guide(params)
    assert hard_pools(None, tiny_data, params, 0) == []


@pytest.mark.parametrize("margin", [0.05, 0.5])
def test_mined_items_lie_a_margin_below_the_own_ones(
    margin: float,
    tiny_model: Callable[[], DualEncoder],
    tiny_data: TrainingData,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
):
    guide = Guide.of(tiny_model(), tiny_data, tiny_items, tiny_images)
    params = NegativeParams(mined=4, first_rank=1, last_rank=24)
    every = mine_negatives(guide, tiny_data, params, seed=0).items
    apart = NegativeParams(mined=4, first_rank=1, last_rank=24, margin=margin)
    some = mine_negatives(guide, tiny_data, apart, seed=0).items
    scores = guide.query_vectors @ guide.item_vectors.T
    for place, query in enumerate(guide.queries):
        own = np.unique(tiny_data.real.item[tiny_data.real.query == query])
        mean = scores[place, own].mean()
        kept = [j for j in every[query].indices if scores[place, j] <= mean - margin * abs(mean)]
        assert set(some[query].indices.tolist()) == set(kept)
    assert 0 < some.nnz < every.nnz
