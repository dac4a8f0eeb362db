"""The average of weights is the formula's, survives a stop, and is what comes out."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from smar.params import PretrainParams
from smar.train.averaging import WeightAverage
from smar.train.course import Course
from smar.train.loop import Places, train
from tests.train.test_loop import Setup, _stopped, weights

CourseOf = Callable[..., Course]


def mean_of(values: list[np.ndarray], decay: float) -> np.ndarray:
    """The formula in float64, from the first value on."""
    mean = values[0].astype(np.float64)
    for step, value in enumerate(values[1:], start=1):
        share = min(decay, (1 + step) / (10 + step))
        mean = share * mean + (1 - share) * value
    return mean


@pytest.mark.parametrize("decay", [0.1, 0.5, 0.9])
def test_an_average_is_that_of_the_formula(decay: float):
    weight = nn.Parameter(torch.zeros(2))
    average = WeightAverage([weight], decay)
    values = [np.zeros(2)]
    for step in range(1, 30):
        values.append(np.array([step, step**2], np.float64))
        weight.data = torch.tensor(values[-1], dtype=torch.float32)
        average.update()
    average.take_over()
    assert weight.detach().numpy() == pytest.approx(mean_of(values, decay), rel=1e-5)


def test_what_stays_equal_is_equal_to_the_bit():
    weight = nn.Parameter(torch.randn(50))
    held = nn.Parameter(torch.randn(3), requires_grad=False)
    before = weight.detach().clone()
    average = WeightAverage([weight, held], 0.9)
    for _ in range(20):
        average.update()
    average.take_over()
    assert torch.equal(weight, before)
    assert len(list(average.buffers())) == 2  # none of what is held; one counts


def test_nothing_is_kept_where_nothing_is_averaged():
    weight = nn.Parameter(torch.zeros(1))
    average = WeightAverage([weight], 0.0)
    weight.data += 1
    average.update()
    average.take_over()
    assert weight.detach().tolist() == [1]
    assert not average.state_dict()


def test_a_run_ends_in_the_average_of_its_steps(
    setup: Setup, places: Places, tiny_pretrain: PretrainParams, course_of: CourseOf
):
    params = tiny_pretrain.model_copy(update={"steps": 8, "average": 0.6})
    model, sampler, maker = setup()
    seen: list[list[np.ndarray]] = [[p.detach().numpy().copy() for p in model.parameters()]]

    def note(*_: Any) -> None:
        seen.append([p.detach().numpy().copy() for p in model.parameters()])

    hook = register_optimizer_step_post_hook(note)
    try:
        train(model, sampler, maker, course=course_of(params), params=params, places=places)
    finally:
        hook.remove()
    assert len(seen) == 9
    for number, parameter in enumerate(model.parameters()):
        expected = mean_of([values[number] for values in seen], 0.6)
        assert parameter.detach().numpy() == pytest.approx(expected, abs=1e-6)
    assert any(
        not np.allclose(values, parameter.detach().numpy())
        for values, parameter in zip(seen[-1], model.parameters(), strict=True)
    )


def test_a_stopped_run_ends_in_the_same_average(
    setup: Setup, places: Places, tiny_pretrain: PretrainParams, course_of: CourseOf
):
    changes = {"steps": 8, "checkpoint_s": 1e-9, "average": 0.8}
    params = tiny_pretrain.model_copy(update=changes)
    whole = setup()
    train(*whole, course=course_of(params), params=params, places=places)
    elsewhere = replace(places, checkpoint=places.checkpoint.with_name("stopped"))
    course, parts = _stopped(course_of(params), 4), setup()
    with pytest.raises(KeyboardInterrupt):
        train(*parts, course=course, params=params, places=elsewhere)
    resumed = setup()
    train(*resumed, course=course_of(params), params=params, places=elsewhere)
    assert torch.equal(weights(whole[0]), weights(resumed[0]))
