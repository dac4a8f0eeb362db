"""What a trained model finds as near as a query's own item does not stand against it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from smar.data.images import ImageStore
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_items, encode_queries
from smar.train.dataset import TrainingData
from smar.train.guide import Guide
from smar.train.standing import Standing

# Two queries (rows 3 and 7 of the texts) and four items in the plane.
ITEMS = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-1.0, 0.0]], np.float32)
GUIDE = Guide(np.array([3, 7]), np.array([[0.9, 0.0], [0.0, -0.5]], np.float32), ITEMS)


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        # Own item 1 of query 3 scores .72; the others .9, 0 and -.9.
        (0.0, [True, False, False, False]),
        (0.1, [True, True, False, False]),
        (1.0, [True, True, False, False]),
    ],
)
def test_items_above_the_own_one_but_for_the_margin_are_nearer(margin: float, expected: list[bool]):
    found = GUIDE.nearer(np.array([3]), np.arange(4), np.array([1]), margin)
    assert found.tolist() == [expected]


def test_a_margin_widens_where_the_own_score_is_below_zero():
    query, items, own = np.array([7]), np.arange(4), np.array([1])  # own -.3, others 0, -.5, 0
    assert GUIDE.nearer(query, items, own, 0.0).tolist() == [[True, False, False, True]]
    assert GUIDE.nearer(query, items, own, 0.5).tolist() == [[True, True, False, True]]


def test_a_query_that_is_not_known_has_none():
    found = GUIDE.nearer(np.array([5, 9]), np.arange(4), np.array([2, 2]), 0.5)
    assert not found.any()


def test_the_best_of_several_vectors_counts():
    several = replace(GUIDE, query_vectors=np.stack([GUIDE.query_vectors, -GUIDE.query_vectors], 1))
    assert several.of_pairs(np.array([3, 3]), np.array([0, 3])).tolist() == pytest.approx(
        [0.9, 0.9]
    )
    found = several.nearer(np.array([3]), np.arange(4), np.array([1]), 0.0)
    assert found.tolist() == [[True, False, False, True]]


def test_the_guide_says_what_a_search_by_its_model_says(
    tiny_model: Callable[[], DualEncoder],
    tiny_data: TrainingData,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
):
    model = tiny_model().train()
    guide = Guide.of(model, tiny_data, tiny_items, tiny_images)
    assert model.training
    model.eval()
    made = encode_items(model, tiny_items, tiny_images, 24)
    query, item = guide.queries[:5], np.arange(5)
    asked = encode_queries(model, [tiny_data.queries[row] for row in query])
    of_text, of_both = (np.vecdot(asked.vector, part[:5]) for part in (made.text, made.multimodal))
    expected = (1 - asked.gate) * of_text + asked.gate * of_both
    assert np.allclose(guide.of_pairs(query, item), expected, atol=1e-5)


def test_shown_items_stand_however_near_they_are(tiny_data: TrainingData):
    """Of wordless queries and distinct items only the guide decides, and what was shown."""
    shown = csr_matrix(np.array([[0, 0, 1, 0], [0, 0, 0, 0]], np.float32))
    data = replace(
        tiny_data,
        queries=["!", "?"],
        real=replace(tiny_data.real, query=tiny_data.real.query[:0], offsets=np.zeros(25, int)),
        synthetic=replace(
            tiny_data.synthetic, query=tiny_data.real.query[:0], offsets=np.zeros(25, int)
        ),
        group=np.arange(24),
        shown=shown,
    )
    guide = Guide(np.array([0]), np.array([[0.0, 1.0]], np.float32), ITEMS)
    nearer = partial(guide.nearer, margin=0.0)
    parts = (data, np.array([0, 1]), np.arange(4), np.array([0, 0]))
    plain = Standing(*parts).rows(slice(None))[0]
    guided = Standing(*parts, nearer).rows(slice(None))[0]
    assert plain.tolist() == [[False, True, True, True]] * 2
    assert guided.tolist() == [[False, False, True, True], [False, True, True, True]]
    assert np.array_equal(Standing(*parts, nearer).packed()[0].rows(slice(None)), guided)
