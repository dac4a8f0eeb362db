"""Loss scaling: the rule, and runs in float16 that learn, go on and give up in words."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from smar.errors import ParamsError, TrainingError
from smar.models.dual_encoder import DualEncoder
from smar.params import FinetuneParams, PretrainParams
from smar.train import scaling as room
from smar.train.batching import BatchMaker
from smar.train.cached import cached_step
from smar.train.course import Course
from smar.train.large import LargeBatch
from smar.train.loop import Places, train
from smar.train.precision import Precision, check_precision
from smar.train.sampling import PairSampler
from smar.train.scaling import LossScale
from smar.train.step import StepOutput

Setup = Callable[[], tuple[DualEncoder, PairSampler, BatchMaker]]
CourseOf = Callable[..., Course]


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def test_the_rule_is_that_of_torch(monkeypatch: pytest.MonkeyPatch):
    theirs = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=3)
    mine = LossScale()
    mine.scale.fill_(8.0)
    monkeypatch.setattr(room, "_INTERVAL", 3)
    parameter = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    for is_finite in (True, True, False, True, True, True, True, False, False):
        parameter.grad = torch.full((2,), 4.0 if is_finite else torch.inf)
        theirs.scale(torch.ones(()))  # makes its state
        theirs.step(optimizer)
        theirs.update()
        mine.settle(is_finite=is_finite)
        assert float(mine.scale) == theirs.get_scale()


def test_gradients_are_those_of_the_loss_itself():
    scaling, parameter = LossScale(), nn.Parameter(torch.tensor([3.0]))
    Precision("float16", "", scaling.scale).backward((parameter**2).sum())
    assert parameter.grad is not None
    assert float(parameter.grad) == 6 * 4096
    scaling.unscale([parameter, nn.Parameter(torch.ones(1))])
    assert float(parameter.grad) == 6


def test_small_gradients_get_through_float16_by_the_scale_alone():
    found = {}
    for name, scale in (("plain", None), ("scaled", LossScale())):
        parameter = nn.Parameter(torch.tensor([1.0]))
        halved = (parameter.half() * 1e-4).float() * 1e-5  # 1e-9 is below what float16 has
        Precision("float16", "", scale.scale if scale else None).backward(halved.sum())
        if scale:
            scale.unscale([parameter])
        assert parameter.grad is not None
        found[name] = float(parameter.grad)
    assert found["plain"] == 0
    assert found["scaled"] == pytest.approx(1e-9, rel=1e-2)


def test_float16_trains_as_float32_does(
    setup: Setup, places: Places, tiny_pretrain: PretrainParams, course_of: CourseOf
):
    figures = {}
    for name in ("float32", "float16"):
        params = tiny_pretrain.model_copy(update={"steps": 60, "precision": name})
        figures[name] = train(*setup(), course=course_of(params), params=params, places=places)
    assert figures["float16"]["chance_text"] < 0.8
    gap = figures["float16"]["chance_text"] - figures["float32"]["chance_text"]
    assert abs(gap) < 0.1


def test_a_large_step_has_the_scale_too(setup: Setup, course_of: CourseOf):
    """Of chunks as of the whole: gradients are s times those without a scale."""
    model, sampler, maker = setup()
    step = course_of(PretrainParams(steps=1)).phases[0].step
    found = []
    for scale in (None, torch.tensor(4.0)):
        model.zero_grad(set_to_none=True)
        batch = LargeBatch.make(maker, sampler.draw(0), 5)
        cached_step(step, model, batch, Precision("float32", "", scale))
        grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        found.append(torch.cat(grads))
    assert torch.allclose(4 * found[0], found[1], atol=1e-6)


def test_a_step_that_overflows_is_left_out_and_the_run_goes_on(
    setup: Setup,
    places: Places,
    tiny_pretrain: PretrainParams,
    course_of: CourseOf,
    monkeypatch: pytest.MonkeyPatch,
):
    """A first scale beyond float16 overflows at first: no weight moves, then all do."""
    monkeypatch.setattr(room, "_START", 2.0**40)
    found = []
    for steps in (3, 40):
        params = tiny_pretrain.model_copy(update={"steps": steps, "precision": "float16"})
        model, *rest = setup()
        before = weights(model)
        train(model, *rest, course=course_of(params), params=params, places=places)
        found.append((before, weights(model)))
        assert torch.isfinite(found[-1][1]).all()
    assert torch.equal(*found[0])
    assert not torch.equal(*found[1])


def test_a_stopped_run_has_its_scale_again(
    setup: Setup,
    places: Places,
    tiny_pretrain: PretrainParams,
    course_of: CourseOf,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(room, "_INTERVAL", 3)  # grows on the way
    params = tiny_pretrain.model_copy(
        update={"steps": 8, "precision": "float16", "checkpoint_s": 1e-9}
    )
    whole, *rest = setup()
    train(whole, *rest, course=course_of(params), params=params, places=places)
    other = replace(places, checkpoint=places.checkpoint.with_name("other"))
    stopped, *rest = setup()
    course, calls = course_of(params), 0
    phase = course.phases[0]

    class StopError(Exception):
        pass

    def step(*arguments: object) -> StepOutput:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise StopError
        return phase.step(*arguments)  # type: ignore[arg-type]

    broken = Course([replace(phase, step=_Called(phase.step, step))], course.weights)
    with pytest.raises(StopError):
        train(stopped, *rest, course=broken, params=params, places=other)
    again, *rest = setup()
    train(again, *rest, course=course_of(params), params=params, places=other)
    assert torch.equal(weights(whole), weights(again))


class _Called:
    """A step with another call."""

    def __init__(self, step: object, call: Callable[..., StepOutput]) -> None:
        self._step, self._call = step, call

    def __getattr__(self, name: str) -> object:
        return getattr(self._step, name)

    def __call__(self, *arguments: object) -> StepOutput:
        return self._call(*arguments)


def test_a_loss_that_overflows_by_itself_is_given_up_in_words(
    setup: Setup, places: Places, tiny_pretrain: PretrainParams, course_of: CourseOf
):
    params = tiny_pretrain.model_copy(update={"steps": 40, "precision": "float16"})
    course = course_of(params)
    with torch.no_grad():
        model, *rest = setup()
        model.query.projection.weight.fill_(torch.inf)
    with pytest.raises(TrainingError, match=r"step 12 of 40: .*bfloat16 or float32 in place of"):
        train(model, *rest, course=course, params=params, places=places)


def test_float16_is_refused_on_a_processor():
    both = {"pretrain": PretrainParams(precision="float16"), "finetune": FinetuneParams()}
    check_precision(both, torch.device("cuda"))
    with pytest.raises(ParamsError, match=r"^pretrain\.precision: 'float16'.*bfloat16"):
        check_precision(both, torch.device("cpu"))
    check_precision({"finetune": FinetuneParams(precision="bfloat16")}, torch.device("cpu"))
