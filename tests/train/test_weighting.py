"""Weights of the tasks: given, or learned."""

import math

import pandas as pd
import pytest
import torch

from smar.train.loop import train
from smar.train.weighting import TaskWeights


def test_given_weights_are_a_weighted_sum():
    weights = TaskWeights({"a": 2.0, "b": 0.0, "c": 0.5}, is_learned=False)
    total = weights({"a": torch.tensor(3.0), "b": torch.tensor(9.0), "c": torch.tensor(4.0)})
    assert total.item() == pytest.approx(2 * 3 + 0.5 * 4)
    assert weights.tasks == ["a", "c"]
    assert not list(weights.parameters())
    assert weights.values() == {}


def test_learned_weights_start_as_given():
    weights = TaskWeights({"a": 2.0, "b": 0.0, "c": 0.5}, is_learned=True)
    assert weights.values()["weight_a"].item() == pytest.approx(2.0)
    assert weights.values()["weight_c"].item() == pytest.approx(0.5)
    total = weights({"a": torch.tensor(3.0), "b": torch.tensor(9.0), "c": torch.tensor(4.0)})
    expected = 2 * 3 + 0.5 * 4 - math.log(2) - math.log(0.5)
    assert total.item() == pytest.approx(expected)


def test_learned_weights_come_to_rest_at_one_over_the_loss():
    weights = TaskWeights({"a": 1.0, "b": 1.0}, is_learned=True)
    optimizer = torch.optim.Adam(weights.parameters(), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        weights({"a": torch.tensor(4.0), "b": torch.tensor(0.25)}).backward()
        optimizer.step()
    values = weights.values()
    assert values["weight_a"].item() == pytest.approx(0.25, rel=0.02)
    assert values["weight_b"].item() == pytest.approx(4.0, rel=0.02)


def test_training_moves_learned_weights_and_logs_them(setup, places, tiny_pretrain, course_of):
    params = tiny_pretrain.model_copy(update={"steps": 20})
    model, sampler, maker = setup()
    course = course_of(params, weights="learned")
    figures = train(model, sampler, maker, course=course, params=params, places=places)
    names = {"weight_text", "weight_image", "weight_multimodal"}
    assert names <= set(pd.read_csv(places.history, sep="\t").columns)
    # Losses lie above 1 (about 2.5 at chance), so the weights fall from 1.
    assert all(figures[name] < 0.95 for name in names)
    assert not any(name.startswith("weight") for name in model.state_dict())
