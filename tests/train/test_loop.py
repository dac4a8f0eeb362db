"""Training runs: they learn, repeat to the bit, survive being stopped, and refuse nonsense."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from smar.data.images import ImageStore
from smar.errors import TrainingError
from smar.losses import build_loss
from smar.models.dual_encoder import DualEncoder
from smar.params import FinetuneParams, LossParams, PretrainParams
from smar.train.batching import BatchMaker
from smar.train.course import Course, finetune_course
from smar.train.dataset import TrainingData
from smar.train.loop import Places, train
from smar.train.prepare import build_maker
from smar.train.sampling import PairSampler
from smar.train.step import Step, StepOutput

Setup = Callable[[], tuple[DualEncoder, PairSampler, BatchMaker]]
CourseOf = Callable[..., Course]


def weights(model: DualEncoder) -> torch.Tensor:
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def test_training_overfits_a_handful_of_pairs(
    setup: Setup, places: Places, tiny_pretrain: PretrainParams, course_of: CourseOf
):
    params = tiny_pretrain.model_copy(update={"steps": 160})
    train(*setup(), course=course_of(params), params=params, places=places)
    history = pd.read_csv(places.history, sep="\t")
    assert history["chance_text"].iloc[0] > 0.9
    assert history["chance_text"].iloc[-40:].mean() < 0.5  # one step's is .43 to .53 by last bits
    assert {"learning_rate", "norm_query", "norm_text", "norm_image"} <= set(history.columns)


def test_no_modality_starves_in_joint_training(
    setup: Setup, places: Places, tiny_pretrain: PretrainParams, course_of: CourseOf
):
    """Text tells every item apart; the picture, which does too, must be learned beside it."""
    params = tiny_pretrain.model_copy(update={"steps": 160})
    figures = train(*setup(), course=course_of(params), params=params, places=places)
    for name in ("text", "image", "multimodal"):
        assert figures[f"chance_{name}"] < 0.75, name


def test_training_twice_gives_the_same_weights(
    setup: Setup, places: Places, tiny_pretrain: PretrainParams, course_of: CourseOf
):
    results = []
    for _ in range(2):
        model, sampler, maker = setup()
        course = course_of(tiny_pretrain)
        train(model, sampler, maker, course=course, params=tiny_pretrain, places=places)
        results.append(weights(model))
    assert torch.equal(*results)


@pytest.mark.parametrize("stopped_after", [1, 5, 8])
@pytest.mark.parametrize(
    ("kind", "loss"),
    [("joint", {}), ("staged", {}), ("joint", {"weights": "learned"})],
    ids=["joint", "staged", "learned"],
)
def test_training_goes_on_from_a_checkpoint_to_the_same_weights(
    kind: str,
    loss: dict[str, Any],
    stopped_after: int,
    setup: Setup,
    places: Places,
    tiny_pretrain: PretrainParams,
    course_of: CourseOf,
):
    params = tiny_pretrain.model_copy(update={"steps": 10, "checkpoint_s": 1e-9})
    whole, sampler, maker = setup()
    course = course_of(params, kind, **loss)
    train(whole, sampler, maker, course=course, params=params, places=places)
    expected = [value.clone() for value in course.weights.parameters()]
    elsewhere = replace(places, checkpoint=places.checkpoint.with_name("stopped"))
    stopped, sampler, maker = setup()
    with pytest.raises(KeyboardInterrupt):
        train(
            stopped,
            sampler,
            maker,
            course=_stopped(course_of(params, kind, **loss), stopped_after),
            params=params,
            places=elsewhere,
        )
    resumed, sampler, maker = setup()
    course = course_of(params, kind, **loss)
    train(resumed, sampler, maker, course=course, params=params, places=elsewhere)
    assert torch.equal(weights(whole), weights(resumed))
    assert all(map(torch.equal, expected, course.weights.parameters()))


def _stopped(course: Course, number: int) -> Course:
    """Return a course that is killed from outside after some steps."""
    calls = 0

    def stopping(step: Step) -> Step:
        def wrapped(model: DualEncoder, batch: Any) -> StepOutput:
            nonlocal calls
            calls += 1
            if calls > number:
                raise KeyboardInterrupt
            return step(model, batch)

        return wrapped

    phases = [replace(phase, step=stopping(phase.step)) for phase in course.phases]
    return replace(course, phases=phases)


def test_training_stops_with_the_step_when_the_loss_is_not_finite(
    setup: Setup, places: Places, tiny_pretrain: PretrainParams, course_of: CourseOf
):
    model, sampler, maker = setup()
    with torch.no_grad():
        model.query.projection.weight.fill_(float("nan"))
    course = course_of(tiny_pretrain)
    with pytest.raises(TrainingError, match=r"step 0 of 6: .*not finite"):
        train(model, sampler, maker, course=course, params=tiny_pretrain, places=places)


@pytest.mark.parametrize("kind", ["softmax", "hinge", "adaptive"])
def test_collapsed_towers_are_reported_as_no_better_than_chance(
    kind: str,
    setup: Setup,
    places: Places,
    tiny_pretrain: PretrainParams,
    course_of: CourseOf,
    caplog: pytest.LogCaptureFixture,
):
    """The query tower gives one vector whatever the text, and cannot get out of it."""
    model, sampler, maker = setup()
    with torch.no_grad():
        model.query.projection.weight.zero_()
        model.query.projection.bias.fill_(1.0)
        for part in (model.text, model.image):
            part.projection.weight.zero_()
            part.projection.bias.fill_(1.0)
    params = tiny_pretrain.model_copy(update={"learning_rate": 1e-9})
    course = course_of(params, loss_kind=kind)
    train(model, sampler, maker, course=course, params=params, places=places)
    assert "chance_text ended at 1.000" in caplog.text


def test_pictures_that_are_all_alike_are_reported(
    setup: Setup,
    places: Places,
    tiny_items: pd.DataFrame,
    tiny_data: TrainingData,
    tiny_images: ImageStore,
    tiny_pretrain: PretrainParams,
    course_of: CourseOf,
    caplog: pytest.LogCaptureFixture,
):
    model, sampler, _ = setup()
    same = tiny_items.assign(image_ids=[np.array([0])] * len(tiny_items))
    maker = build_maker(model, tiny_data, same, tiny_images)
    params = tiny_pretrain.model_copy(update={"steps": 120})
    with caplog.at_level(logging.WARNING):
        train(model, sampler, maker, course=course_of(params), params=params, places=places)
    assert "chance_image ended at" in caplog.text
    assert "chance_text ended at" not in caplog.text


@pytest.mark.parametrize("kind", ["category", "learned", "per_item"])
def test_finetuning_trains_the_gate(
    kind: str,
    setup: Setup,
    places: Places,
    tiny_finetune: FinetuneParams,
    tiny_loss: LossParams,
):
    model, sampler, maker = setup()
    model.set_gate(kind)
    before = {name: value.clone() for name, value in model.gate.state_dict().items()}
    train(
        model,
        sampler,
        maker,
        course=finetune_course(tiny_finetune, build_loss(tiny_loss), is_learned=False),
        params=tiny_finetune,
        places=places,
    )
    unchanged = [n for n, v in model.gate.state_dict().items() if torch.equal(before[n], v)]
    assert unchanged == []
