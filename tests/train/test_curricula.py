"""What each curriculum trains, and when."""

from collections.abc import Callable

import pandas as pd
import pytest
import torch

from smar.losses import build_loss
from smar.models.dual_encoder import DualEncoder
from smar.params import LossParams, Params, PretrainParams
from smar.train.batching import BatchMaker
from smar.train.course import Course, Phase
from smar.train.curricula import build_course, staged
from smar.train.loop import Places, train
from smar.train.sampling import PairSampler

Setup = Callable[[], tuple[DualEncoder, PairSampler, BatchMaker]]
CourseOf = Callable[..., Course]


def test_stages_share_the_steps_without_gaps(tiny_pretrain: PretrainParams, course_of: CourseOf):
    params = tiny_pretrain.model_copy(update={"steps": 100})
    phases = course_of(params, "staged").phases
    assert [(p.name, p.first, p.last) for p in phases] == [
        ("alignment", 0, 30),
        ("query", 30, 70),
        ("fusion", 70, 100),
    ]


def test_stage_without_a_share_is_left_out(
    tiny_pretrain: PretrainParams, tiny_loss: LossParams, shipped: Params
):
    own = staged.Params(shares=staged.Params.Shares(alignment=0.0))
    chosen = shipped.curriculum.model_copy(update={"kind": "staged", "staged": own})
    loss = build_loss(tiny_loss)
    phases = build_course(tiny_pretrain, loss, chosen, is_learned=False).phases
    assert [phase.name for phase in phases] == ["query", "fusion"]
    assert phases[0].first == 0
    assert phases[-1].last == tiny_pretrain.steps


def run_phase(course: Course, name: str, setup: Setup, params: PretrainParams, places: Places):
    """Return which parts of the model a stage alone changes."""
    model, sampler, maker = setup()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    chosen = next(phase for phase in course.phases if phase.name == name)
    alone = Phase(name, 0, params.steps, chosen.step, chosen.frozen)
    course = Course([alone], course.weights)
    figures = train(model, sampler, maker, course=course, params=params, places=places)
    changed = {
        k.split(".")[0] for k, v in model.state_dict().items() if not torch.equal(before[k], v)
    }
    return changed, figures


@pytest.mark.parametrize(
    ("stage", "trained"),
    [
        ("alignment", {"text", "image"}),
        ("query", {"query", "text", "image"}),
        ("fusion", {"query", "fusion"}),
    ],
)
def test_stage_changes_only_what_is_not_frozen(
    stage: str,
    trained: set[str],
    setup: Setup,
    places: Places,
    tiny_pretrain: PretrainParams,
    course_of: CourseOf,
):
    params = tiny_pretrain.model_copy(update={"weight_decay": 0.1, "steps": 6})
    course = course_of(tiny_pretrain.model_copy(update={"steps": 100}), "staged")
    assert run_phase(course, stage, setup, params, places)[0] == trained


def test_frozen_parts_are_a_parameter(
    setup: Setup,
    places: Places,
    tiny_pretrain: PretrainParams,
    tiny_loss: LossParams,
    shipped: Params,
):
    frozen = staged.Params.Frozen(alignment=["text"], query=[], fusion=["text", "image", "query"])
    own = staged.Params(frozen=frozen)
    curriculum = shipped.curriculum.model_copy(update={"kind": "staged", "staged": own})
    params = tiny_pretrain.model_copy(update={"steps": 100})
    course = build_course(params, build_loss(tiny_loss), curriculum, is_learned=False)
    assert run_phase(course, "alignment", setup, tiny_pretrain, places)[0] == {"image"}
    assert run_phase(course, "fusion", setup, tiny_pretrain, places)[0] == {"fusion"}


def test_alignment_teaches_texts_and_pictures_of_an_item_to_find_each_other(
    setup: Setup, places: Places, tiny_pretrain: PretrainParams, course_of: CourseOf
):
    params = tiny_pretrain.model_copy(update={"steps": 120})
    course = course_of(params, "staged")
    figures = run_phase(course, "alignment", setup, params, places)[1]
    assert figures["chance_alignment"] < 0.7


@pytest.mark.whole
def test_each_stage_warms_up_by_itself(
    setup: Setup, places: Places, tiny_pretrain: PretrainParams, course_of: CourseOf
):
    params = tiny_pretrain.model_copy(update={"steps": 40})
    model, sampler, maker = setup()
    course = course_of(params, "staged")
    train(model, sampler, maker, course=course, params=params, places=places)
    rates = pd.read_csv(places.history, sep="\t")["learning_rate"]
    starts = [phase.first for phase in course.phases]
    peaks = [rates[p.first : p.last].max() for p in course.phases]
    assert peaks == pytest.approx([0.01] * 3)
    assert all(rates[start] > rates[start - 1] for start in starts[1:])
    assert all(parameter.requires_grad for parameter in model.parameters())
