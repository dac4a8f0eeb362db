"""Queries that tell whether towers encode as they did."""

import numpy as np
import pytest

from smar.index.asked import MOST, Asked
from smar.models.embeddings import QueryEmbeddings


def encoder(turned: float = 0.0, gate: float = 0.25, shape: tuple[int, ...] = (4,)):
    """Return what gives each text the vector of its length, turned by so much."""

    def encode(texts: list[str]) -> QueryEmbeddings:
        vector = np.zeros((len(texts), *shape), np.float32)
        vector[..., 0], vector[..., 1] = (
            1,
            [np.full(shape[:-1], turned + len(text) / 1000) for text in texts],
        )
        return QueryEmbeddings(vector, np.full(len(texts), gate, np.float32))

    return encode


def test_each_query_is_asked_once_and_few_of_many_evenly():
    few = Asked.of(["b", "a", "b"], encoder())
    assert few.texts == ["b", "a"]
    assert few.vectors.shape == (2, 5)
    many = Asked.of([f"q{number}" for number in range(1000)], encoder())
    assert len(many.texts) <= MOST
    assert many.texts[0] == "q0"
    assert int(many.texts[-1][1:]) > 900


@pytest.mark.parametrize("shape", [(4,), (2, 4)])
@pytest.mark.parametrize(
    ("turned", "gate", "is_alike"),
    [(0, 0.25, True), (1e-7, 0.25, True), (1e-4, 0.25, False), (0, 0.2501, False)],
)
def test_other_vectors_or_gates_are_told_from_rounding(
    turned: float, gate: float, shape: tuple[int, ...], *, is_alike: bool
):
    asked = Asked.of(["red dress", "sofa"], encoder(shape=shape))
    assert asked.is_answered_alike(encoder(turned, gate, shape)) == is_alike
    assert not asked.is_answered_alike(encoder(shape=(3, 4)))


def test_where_nothing_was_encoded_nothing_is_asked():
    def refuse(_: list[str]) -> QueryEmbeddings:
        raise AssertionError("encoded")

    assert Asked.of([], refuse).is_answered_alike(refuse)


def test_numbers_that_are_none_are_not_alike():
    asked = Asked.of(["sofa"], encoder())
    assert not asked.is_answered_alike(encoder(float("nan")))
