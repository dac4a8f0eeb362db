"""Several processes compute the step of one, over Gloo."""

import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from smar.params import LossParams, PretrainParams
from smar.train.cached import cached_step
from smar.train.course import Course
from smar.train.large import LargeBatch
from smar.train.loop import Places, train
from smar.train.ranks import ALONE, Ranks, current_ranks
from smar.train.sampling import PairSampler
from smar.train.step import Step

from .conftest import Setup
from .test_cached import PLAIN, assert_equal, gradients, sampler, the_step

__all__ = ["sampler"]
pytestmark = pytest.mark.whole

_MOST = 3
InRanks = Callable[[int, Callable[[Ranks], Any]], list[Any]]


class Crew:
    """Processes that wait for work, so that a test does not wait for their imports."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.ends, self.processes = [], []
        for _ in range(_MOST):
            ours, theirs = spawn.Pipe()
            self.processes.append(spawn.Process(target=serve, args=(theirs,), daemon=True))
            self.processes[-1].start()
            self.ends.append(ours)

    def run(self, folder: Path, number: int, work: Callable[[Ranks], Any]) -> list[Any]:
        """Run a function in so many processes at once; return what each returned."""
        store = str(folder / f"store-{len(list(folder.glob('store-*')))}")
        for own, end in enumerate(self.ends[:number]):
            end.send((store, own, number, cloudpickle.dumps(work)))
        assert all(end.poll(120) for end in self.ends[:number]), "somebody waits for somebody"
        found = [end.recv() for end in self.ends[:number]]
        for result in found:
            if isinstance(result, BaseException):
                raise result
        return found


def serve(end: Any) -> None:
    """Do what comes through a pipe, until it is closed."""
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    while True:
        store, own, number, work = end.recv()
        dist.init_process_group(
            "gloo", store=dist.FileStore(store, number), rank=own, world_size=number
        )
        try:
            end.send(pickle.loads(work)(current_ranks()))  # noqa: S301 - this file wrote it
        except BaseException as error:  # noqa: BLE001 - the test shall see it
            end.send(RuntimeError(repr(error)))
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    crew = Crew()
    yield crew
    for process in crew.processes:
        process.kill()


@pytest.fixture
def in_ranks(crew: Crew, tmp_path: Path) -> InRanks:
    """Return what runs a function in so many processes at once, and gives what each returned."""
    return partial(crew.run, tmp_path)


def test_alone_nothing_is_asked_of_anybody():
    rows = torch.ones(2, 3, requires_grad=True)
    assert ALONE.part([1, 2, 3]) == [1, 2, 3]
    assert (ALONE.gathered(5), ALONE.sent(6), ALONE.stacked(rows)) == ([5], 6, [rows])
    assert current_ranks() == ALONE


@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_parts_are_all_things_once_and_in_order(number: int):
    things = list(range(7))
    parts = [Ranks(number, own).part(things) for own in range(number)]
    assert [thing for part in parts for thing in part] == things
    assert all(parts)


def test_rows_of_different_numbers_are_stacked_in_order(in_ranks: InRanks):
    def work(ranks: Ranks) -> list[list[list[float]]]:
        rows = torch.full((ranks.own + 1, 2), float(ranks.own))
        return [part.tolist() for part in ranks.stacked(rows)]

    expected = [[[0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]]
    assert in_ranks(2, work) == [expected, expected]


def test_gradients_are_summed_and_what_has_none_keeps_none(in_ranks: InRanks):
    def work(ranks: Ranks) -> list[float | None]:
        values = [torch.zeros(1, requires_grad=True) for _ in range(3)]
        values[0].grad = torch.tensor([1.0 + ranks.own])
        if ranks.own == 1:
            values[1].grad = torch.tensor([5.0])
        ranks.sum_gradients(values)
        return [None if each.grad is None else float(each.grad) for each in values]

    assert in_ranks(2, work) == [[3.0, 5.0, None]] * 2


# Chunks of 5 of 16 items: four; of 1: more than ranks; adaptive needs all rows at once.
CASES = [
    ("pretrain", "softmax", "fixed", 2, 5),
    ("pretrain", "softmax", "learned", 3, 5),
    ("pretrain", "adaptive", "fixed", 2, 5),
    ("finetune", "softmax", "fixed", 2, 8),
    ("finetune", "gcl", "fixed", 3, 1),
    ("alignment", "softmax", "fixed", 2, 5),
]


@pytest.mark.parametrize(("name", "kind", "weights", "number", "chunk"), CASES)
def test_gradients_of_several_ranks_are_those_of_one(
    name: str,
    kind: str,
    weights: str,
    number: int,
    chunk: int,
    setup: Setup,
    sampler: PairSampler,
    tiny_loss: LossParams,
    in_ranks: InRanks,
):
    model, _, maker = setup()
    step = the_step(name, tiny_loss.model_copy(update={"kind": kind, "weights": weights}))
    draw = sampler.draw(0)
    at_once = step(model, maker.make(draw))
    at_once.loss.backward()
    expected = gradients(model, step)

    def work(ranks: Ranks) -> tuple[float, dict[str, float], dict[str, Tensor]]:
        output = cached_step(step, model, LargeBatch.make(maker, draw, chunk), PLAIN, ranks)
        parts = {key: float(value) for key, value in output.parts.items()}
        return float(output.loss), parts, gradients(model, step)

    found = in_ranks(number, work)
    for loss, parts, made in found:
        assert loss == pytest.approx(float(at_once.loss.detach()), rel=1e-5)
        for part, value in at_once.parts.items():
            assert parts[part] == pytest.approx(float(value), rel=1e-4, abs=1e-5)
        assert_equal(expected, made)
        assert all(torch.equal(made[key], found[0][2][key]) for key in made), "ranks stay alike"


def trained(
    setup: Setup, params: PretrainParams, course: Course, places: Places
) -> tuple[dict[str, float], Tensor]:
    model, drawn, maker = setup()
    figures = train(model, drawn, maker, course=course, params=params, places=places)
    return figures, torch.cat([each.detach().flatten() for each in model.parameters()])


def until(step: Step, last: int) -> Step:
    """Return a step that is interrupted after some calls."""
    calls = count()

    def terms(*arguments: Any) -> Any:
        if next(calls) > last:
            raise KeyboardInterrupt
        return step.terms(*arguments)

    return replace(step, terms=terms)


def test_a_run_of_two_ranks_ends_where_one_does_and_goes_on_where_it_was(
    setup: Setup,
    places: Places,
    tiny_pretrain: PretrainParams,
    course_of: Callable[..., Course],
    in_ranks: InRanks,
):
    params = tiny_pretrain.model_copy(update={"steps": 6, "checkpoint_s": 0})
    _, alone = trained(setup, params, course_of(params), places)
    where = Places(places.checkpoint.with_name("two"), places.history, places.precision)

    def first(ranks: Ranks) -> None:
        begun = course_of(params)
        phase = begun.phases[0]
        stopped = replace(begun, phases=[replace(phase, step=until(phase.step, 3))])
        with pytest.raises(KeyboardInterrupt):
            trained(setup, params, stopped, where)

    in_ranks(2, first)
    assert where.checkpoint.is_dir()

    def second(ranks: Ranks) -> tuple[dict[str, float], Tensor]:
        elsewhere = Places(places.checkpoint.with_name(f"none-{ranks.own}"), where.history,
                           where.precision)  # fmt: skip
        mine = where if ranks.is_first else elsewhere
        rest = course_of(params)
        phase = rest.phases[0]  # four steps are done: two more, and not one
        last = replace(rest, phases=[replace(phase, step=until(phase.step, 1))])
        return trained(setup, params, last, mine)

    (figures, weights), (_, others) = in_ranks(2, second)
    assert torch.equal(weights, others)
    assert torch.allclose(weights, alone, atol=2e-3)
    assert figures["loss"] > 0
