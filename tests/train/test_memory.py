"""A step that does not fit says which setting halves what it takes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from smar.errors import TrainingError
from smar.params import PretrainParams
from smar.train.course import Course
from smar.train.loop import Places, train
from smar.train.memory import told_of_memory
from tests.train.conftest import Setup


@pytest.mark.parametrize(("chunk", "half"), [(0, 8), (6, 3), (1, 1), (50, 8)])
def test_the_half_of_what_was_too_much_is_named(
    chunk: int, half: int, tiny_pretrain: PretrainParams
):
    params = tiny_pretrain.model_copy(update={"chunk_items": chunk})
    with pytest.raises(TrainingError, match=f"Set chunk_items to {half}:"):
        _allocate(params)


def test_other_errors_stay_what_they_are(tiny_pretrain: PretrainParams):
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        _multiply(tiny_pretrain)


def _allocate(params: PretrainParams) -> None:
    with told_of_memory(params):
        torch.empty(2**50)


def _multiply(params: PretrainParams) -> None:
    with told_of_memory(params):
        torch.ones(2, 3) @ torch.ones(2, 3)


def test_a_run_stops_with_its_step_and_what_to_set(
    setup: Setup,
    places: Places,
    tiny_pretrain: PretrainParams,
    course_of: Callable[..., Course],
):
    course = course_of(tiny_pretrain)
    phase = course.phases[0]

    def too_large(*_: Any) -> Any:
        return torch.empty(2**50)

    step = replace(phase.step, terms=too_large)
    course = replace(course, phases=[replace(phase, step=step)])
    parts = setup()
    message = r"step 0 of 6: out of memory with 16 items .* Set chunk_items to 8"
    with pytest.raises(TrainingError, match=message):
        train(*parts, course=course, params=tiny_pretrain, places=places)
