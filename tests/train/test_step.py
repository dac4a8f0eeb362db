"""The losses of a step against double loops over the pairs of its batch."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from smar.losses import Loss, build_loss
from smar.models.dual_encoder import DualEncoder, ItemOutput
from smar.models.gate.base import Gate
from smar.params import FinetuneParams, LossParams
from smar.train.batching import Batch, BatchMaker
from smar.train.course import finetune_course
from smar.train.sampling import PairSampler
from smar.train.scoring import WHOLE, Encoded, encode_batch, encode_items_of
from smar.train.step import Step, alignment_step, pretrain_step
from smar.train.weighting import TaskWeights

from .conftest import Setup

TEMPERATURE = 0.1


@pytest.fixture
def loss(tiny_loss: LossParams) -> Loss:
    return build_loss(tiny_loss)


@pytest.fixture
def drawn(setup: Setup) -> tuple[DualEncoder, Batch]:
    """A model and a batch in which some items have no picture and some two."""
    model, sampler, maker = _parts(setup)
    batch = maker.make(sampler.draw(0))
    counts = torch.bincount(batch.owner, minlength=len(batch.item_lengths))
    assert {0, 1, 2} <= set(counts.tolist())
    return model, batch


def _parts(setup: Setup) -> tuple[DualEncoder, PairSampler, BatchMaker]:
    model, sampler, maker = setup()
    return model.eval(), sampler, maker


def cross_entropy(scores: Tensor, own: int, considered: list[int]) -> float:
    """Return -ln of the share that the own item has among the considered ones."""
    total = sum(float((scores[j] / TEMPERATURE).exp()) for j in {own, *considered})
    return -float(scores[own] / TEMPERATURE) + float(torch.tensor(total).log())


@torch.no_grad()
def test_task_losses_equal_loops_that_leave_out_what_has_no_picture(
    drawn: tuple[DualEncoder, Batch], loss: Loss
):
    model, batch = drawn
    encoded = encode_batch(model, batch)
    item, query = encoded.item, encoded.query.embedding
    step = pretrain_step(
        TaskWeights({"text": 1.0, "image": 1.0, "multimodal": 1.0}, is_learned=False), loss
    )
    parts = step(model, batch).parts
    for name, items in (
        ("text", item.text),
        ("image", item.image),
        ("multimodal", item.multimodal),
    ):
        values = []
        for row, own in enumerate(batch.target.tolist()):
            others = [j for j in range(len(items)) if batch.allowed[row, j]]
            if name == "image":
                if not item.has_picture[own]:
                    continue
                others = [j for j in others if item.has_picture[j]]
            values.append(cross_entropy(query[row] @ items.T, own, others))
        assert float(parts[f"loss_{name}"]) == pytest.approx(sum(values) / len(values), abs=1e-4)
        assert len(values) == len(batch.target) or name == "image"


@torch.no_grad()
def test_alignment_equals_a_loop_in_which_equal_items_are_no_negatives(
    drawn: tuple[DualEncoder, Batch], loss: Loss
):
    model, batch = drawn
    item = encode_items_of(model, batch)
    rows = item.has_picture.nonzero().squeeze(1).tolist()
    group = torch.arange(len(batch.group))
    group[rows[1]] = group[rows[4]] = group[rows[0]]  # three items are one thing to a shopper
    step = alignment_step(TaskWeights({"alignment": 1.0}, is_learned=False), loss)
    seen = float(step(model, replace(batch, group=group)).parts["loss_alignment"])
    values = []
    for own in rows:
        others = [j for j in rows if group[j] != group[own]]
        values.append(cross_entropy(item.text[own] @ item.image.T, own, others))
        values.append(cross_entropy(item.image[own] @ item.text.T, own, others))
    assert seen == pytest.approx(sum(values) / len(values), abs=1e-4)


def _aligning(loss: Loss, weight: float = 0.5) -> Step:
    weights = {"text": 1.0, "image": 0.0, "multimodal": 0.0, "alignment": weight}
    return pretrain_step(TaskWeights(weights, is_learned=False), loss)


@torch.no_grad()
def test_alignment_beside_other_tasks_is_that_of_the_stage(
    drawn: tuple[DualEncoder, Batch], loss: Loss
):
    model, batch = drawn
    alone = alignment_step(TaskWeights({"alignment": 1.0}, is_learned=False), loss)(model, batch)
    output = _aligning(loss)(model, batch)
    for name in ("loss_alignment", "chance_alignment"):
        assert torch.equal(output.parts[name], alone.parts[name])
    expected = output.parts["loss_text"] + 0.5 * output.parts["loss_alignment"]
    assert float(output.loss) == pytest.approx(float(expected))
    assert output.tasks == {"text", "alignment"}
    without = _aligning(loss, 0.0)(model, batch)
    assert "loss_alignment" not in without.parts
    assert without.tasks == {"text"}


@torch.no_grad()
def test_alignment_beside_clicks_is_that_of_the_stage(drawn: tuple[DualEncoder, Batch], loss: Loss):
    model, batch = drawn
    alone = alignment_step(TaskWeights({"alignment": 1.0}, is_learned=False), loss)(model, batch)
    for weight in (0.5, 0.0):
        params = FinetuneParams(alpha=0, beta=0, gamma=0, alignment=weight)
        course = finetune_course(params, loss, is_learned=False)
        output = course.phases[0].step(model, batch)
        added = output.loss - output.parts["loss_gated"]
        assert float(added) == pytest.approx(weight * float(alone.loss), abs=1e-5)
        assert ("alignment" in output.tasks) == bool(weight)


def _of_clicks(loss: Loss, **weights: float) -> Step:
    of_tasks = {"gated": 0.0, "alpha": 0.0, "beta": 0.0, "gamma": 0.0} | weights
    return finetune_course(FinetuneParams(**of_tasks), loss, is_learned=False).phases[0].step


def _gradients(step: Step, model: DualEncoder, batch: Batch) -> dict[str, Tensor | None]:
    model.zero_grad(set_to_none=True)
    step(model, batch).loss.backward()
    return {name: value.grad for name, value in model.named_parameters()}


def test_clicks_without_the_gated_loss_move_towers_as_a_gate_of_one_and_leave_the_header(
    drawn: tuple[DualEncoder, Batch], loss: Loss
):
    model, batch = drawn
    alone = _gradients(_of_clicks(loss, gamma=1.0), model, batch)
    of_header = [name for name in alone if name.startswith("gate.")]
    assert of_header
    assert all(alone[name] is None for name in of_header)
    model.set_gate("always")
    by_gate = _gradients(_of_clicks(loss, gated=1.0), model, batch)
    for name, gradient in by_gate.items():
        if gradient is None:
            assert alone[name] is None, name
        else:
            assert torch.allclose(gradient, alone[name], atol=1e-6), name


def test_a_task_without_weight_is_looked_at_and_keeps_nothing_for_gradients(
    drawn: tuple[DualEncoder, Batch], loss: Loss
):
    model, batch = drawn
    found = {}
    for weight in (0.0, 0.3):
        step = _of_clicks(loss, gated=weight, alpha=weight, beta=weight, gamma=1.0)
        encoded = encode_batch(model, batch)
        found[weight] = step.terms(model.gate, encoded, batch, WHOLE).losses
    for name, value in found[0.0].items():
        assert value.requires_grad == (name == "multimodal"), name
        assert found[0.3][name].requires_grad, name
        assert torch.equal(value.detach(), found[0.3][name].detach()), name


def test_alignment_of_items_that_are_all_alike_is_the_log_of_how_many_are_allowed(loss: Loss):
    """Closed form: with equal scores a softmax over n items loses ln(n)."""
    num, dim = 8, 4
    same = torch.nn.functional.normalize(torch.ones(num, dim), dim=-1)
    pictured = torch.tensor([True] * 6 + [False] * 2)
    none = torch.zeros(())
    item = ItemOutput(same, same * pictured[:, None], same, pictured, none, none)
    batch = Batch(*[torch.zeros(0)] * 11, group=torch.tensor([0, 0, 1, 2, 3, 4, 5, 6]))
    step = alignment_step(TaskWeights({"alignment": 1.0}, is_learned=False), loss)
    found = step.terms(Gate(), Encoded.of_items(item), batch, WHOLE)
    # The two of one group meet four others and themselves, the other four all six.
    expected = (2 * math.log(5) + 4 * math.log(6)) / 6
    assert float(found.losses["alignment"]) == pytest.approx(expected)


def test_alignment_moves_item_towers_and_leaves_the_query_tower(setup: Setup, loss: Loss):
    model, sampler, maker = _parts(setup)
    batch = maker.make(sampler.draw(0))
    weights = TaskWeights({"alignment": 1.0}, is_learned=False)
    pretrain_step(weights, loss)(model, batch).loss.backward()
    for tower, moves in ((model.text, True), (model.image, True), (model.query, False)):
        grad = tower.projection.weight.grad
        assert (grad is not None and bool(grad.abs().sum() > 0)) is moves


def test_alignment_without_any_picture_is_nothing(setup: Setup, loss: Loss):
    model, sampler, maker = _parts(setup)
    batch = maker.make(sampler.draw(0))
    bare = replace(batch, pictures=batch.pictures[:0], owner=batch.owner[:0])
    output = _aligning(loss)(model, bare)
    assert float(output.parts["loss_alignment"]) == 0
    output.loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
