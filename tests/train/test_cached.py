"""A step in chunks has the gradients of the step at once."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn import functional

from smar.losses import build_loss
from smar.models.dual_encoder import DualEncoder, build_model
from smar.params import AugmentParams, LossParams, ModelParams, PretrainParams, QueryVectorParams
from smar.params.kinds import GATES, LOSSES
from smar.train import cached
from smar.train.batching import BatchMaker
from smar.train.cached import cached_step
from smar.train.course import Course
from smar.train.dataset import TrainingData
from smar.train.large import LargeBatch
from smar.train.loop import Places, train
from smar.train.precision import Precision
from smar.train.randomness import random_state, set_random_state
from smar.train.sampling import LeftOut, PairSampler
from smar.train.scoring import WHOLE, Encoded, encode_items_of, encode_queries_of
from smar.train.step import Step, alignment_step, finetune_step, pretrain_step
from smar.train.weighting import TaskWeights

from .conftest import Setup

PLAIN = Precision("float32", "test")
CHUNK = 5  # of 16 items: the last chunk is shorter


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "_SCORES", 7 * 16)  # seven of 32 queries at a time


@pytest.fixture
def sampler(tiny_data: TrainingData) -> PairSampler:
    """Draws with changed texts and queries, and with items that were shown in vain."""
    shown = np.random.default_rng(1).random((len(tiny_data.queries), tiny_data.num_items)) < 0.2
    return PairSampler(
        replace(tiny_data, shown=csr_matrix(shown, dtype=np.float32)),
        items_per_step=16,
        queries_per_item=2,
        real_frac=0.5,
        seed=3,
        left_out=LeftOut(fields=0.3, words=0.3),
        misspelled_frac=0.5,
    )


def the_step(name: str, loss: LossParams) -> Step:
    tasks = {"text": 1.0, "image": 0.5, "multimodal": 0.7}
    is_learned = loss.weights == "learned"
    if name == "alignment":
        return alignment_step(TaskWeights({"alignment": 1.0}, is_learned=False), build_loss(loss))
    if name.startswith("finetune"):
        tasks |= {"alignment": 0.6} if name == "finetune aligned" else {}
        weights = TaskWeights({"gated": 1.0, **tasks}, is_learned=is_learned)
        return finetune_step(weights, build_loss(loss))
    if name == "aligned":
        tasks["alignment"] = 0.6
    return pretrain_step(TaskWeights(tasks, is_learned=is_learned), build_loss(loss))


def gradients(model: DualEncoder, step: Step) -> dict[str, Tensor]:
    """Return every gradient, of learned weights of the tasks too, and take it away."""
    found = {}
    for module in (model, step.weights):
        for name, parameter in module.named_parameters():
            grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            found[name] = grad.clone()
            parameter.grad = None
    return found


def assert_equal(
    first: dict[str, Tensor], second: dict[str, Tensor], tolerance: float = 1e-5
) -> None:
    largest = max(float(value.abs().max()) for value in first.values())
    assert largest > 0
    for name, value in first.items():
        assert torch.allclose(value, second[name], rtol=tolerance, atol=tolerance * largest), name


CASES = [
    *(("pretrain", "learned", kind, {}) for kind in sorted(LOSSES)),
    *(("alignment", "learned", kind, {}) for kind in sorted(LOSSES)),
    *(("aligned", "learned", kind, {}) for kind in sorted(LOSSES)),
    *(("finetune", gate, "softmax", {}) for gate in sorted(GATES)),
    ("finetune", "per_item", "gcl", {}),
    ("finetune aligned", "learned", "softmax", {}),
    ("finetune", "category", "adaptive", {}),
    ("pretrain", "learned", "softmax", {"weights": "learned"}),
]


@pytest.mark.parametrize(("name", "gate", "kind", "changes"), CASES)
def test_gradients_in_chunks_equal_those_at_once(
    name: str,
    gate: str,
    kind: str,
    changes: dict[str, str],
    setup: Setup,
    sampler: PairSampler,
    tiny_loss: LossParams,
):
    model, _, maker = setup()
    model.set_gate(gate)
    step = the_step(name, tiny_loss.model_copy(update={"kind": kind, **changes}))
    sampler.vary_pictures(AugmentParams(flip=0.5, crop=0.3, jitter=0.2))
    draw = sampler.draw(0)
    assert all(varied is not None for varied in (draw.hidden, draw.slips, draw.views))
    at_once = step(model, maker.make(draw))
    at_once.loss.backward()
    expected = gradients(model, step)
    output = cached_step(step, model, LargeBatch.make(maker, draw, CHUNK), PLAIN)
    assert_equal(expected, gradients(model, step))
    assert float(output.loss) == pytest.approx(float(at_once.loss.detach()), rel=1e-5)
    for part, value in at_once.parts.items():
        if kind != "three_part_hinge" or not part.startswith("chance"):
            assert float(output.parts[part]) == pytest.approx(float(value), rel=1e-4, abs=1e-5)
    assert output.parts.keys() == at_once.parts.keys()


# In bfloat16 a weight's gradient is summed in that format within a chunk, in float32 over chunks.
@pytest.mark.parametrize(("number_format", "tolerance"), [("float32", 1e-5), ("bfloat16", 5e-3)])
def test_dropout_draws_the_same_numbers_in_both_passes(
    number_format: str, tolerance: float, setup: Setup, sampler: PairSampler, tiny_loss: LossParams
):
    """Every vector's gradient runs through the very dropout that made the vector."""
    model, _, maker = setup()
    _with_dropout(model)
    step = the_step("finetune", tiny_loss)
    precision = Precision(number_format, "test")
    large = LargeBatch.make(maker, sampler.draw(0), CHUNK)
    start = random_state()
    held = _holding_graphs(step, model, large, precision)
    expected, after = gradients(model, step), random_state()
    set_random_state(start)
    output = cached_step(step, model, large, precision)
    assert_equal(expected, gradients(model, step), tolerance)
    assert float(output.loss) == pytest.approx(held, rel=1e-5)
    assert torch.equal(random_state()["cpu"], after["cpu"])
    set_random_state(start)
    model.eval()
    cached_step(step, model, large, precision)
    without = gradients(model, step)
    assert any(not torch.allclose(expected[name], without[name], atol=1e-3) for name in without)


def _with_dropout(model: DualEncoder) -> None:
    model.train()
    for tower in (model.query, model.text, model.image):
        tower.projection.register_forward_pre_hook(_drop)


def _drop(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (functional.dropout(inputs[0], 0.4, module.training),)


def _holding_graphs(step: Step, model: DualEncoder, large: LargeBatch, form: Precision) -> float:
    """Return the loss of vectors made chunk by chunk, with the graphs of all held at once."""
    with form.autocast(model.device):
        parts = [encode_items_of(model, part) for part in large.item_chunks(with_pictures=True)]
        of_query = [encode_queries_of(model, part) for part in large.query_chunks()]
    names = ("text", "image", "multimodal", "has_picture")
    item = replace(parts[0], **{n: torch.cat([getattr(p, n) for p in parts]) for n in names})
    query = replace(
        of_query[0],
        **{n: torch.cat([getattr(p, n) for p in of_query]) for n in ("embedding", "gate_logit")},
    )
    encoded = Encoded(query, item, model.options.beta)
    known = large.known_of(slice(0, large.num_queries))
    terms = step.terms(model.gate, encoded, known, WHOLE)
    total = step.total(terms)
    total.backward()
    return float(total.detach())


def test_frozen_parts_stay_without_gradients(
    setup: Setup, sampler: PairSampler, tiny_loss: LossParams
):
    model, _, maker = setup()
    step = the_step("pretrain", tiny_loss)
    for part in (model.query, model.image):
        part.requires_grad_(requires_grad=False)
    draw = sampler.draw(0)
    step(model, maker.make(draw)).loss.backward()
    expected = gradients(model, step)
    cached_step(step, model, LargeBatch.make(maker, draw, CHUNK), PLAIN)
    assert all(parameter.grad is None for parameter in model.query.parameters())
    assert_equal(expected, gradients(model, step))


def test_several_vectors_a_query_have_the_same_gradients_in_chunks(
    tiny_model_params: ModelParams,
    setup: Setup,
    tiny_maker: Callable[[DualEncoder], BatchMaker],
    sampler: PairSampler,
    tiny_loss: LossParams,
):
    tokenizer = setup()[0].query_tokenizer
    model = build_model(
        tiny_model_params.model_copy(update={"query_vectors": QueryVectorParams(count=3)}),
        query_tokenizer=tokenizer,
        text_tokenizer=tokenizer,
        picture_size=(16, 16),
    )
    maker, step, draw = tiny_maker(model), the_step("finetune", tiny_loss), sampler.draw(0)
    step(model, maker.make(draw)).loss.backward()
    expected = gradients(model, step)
    cached_step(step, model, LargeBatch.make(maker, draw, CHUNK), PLAIN)
    assert_equal(expected, gradients(model, step))


def test_no_picture_is_read_where_none_is_looked_at(
    setup: Setup, sampler: PairSampler, monkeypatch: pytest.MonkeyPatch
):
    _, _, maker = setup()
    large = LargeBatch.make(maker, sampler.draw(0), CHUNK)
    with_pictures = sum(len(part.pictures) for part in large.item_chunks(with_pictures=True))
    without = sum(len(part.pictures) for part in large.item_chunks(with_pictures=False))
    assert (with_pictures, without) == (len(large.image_ids), 0)


@pytest.mark.parametrize("kind", ["joint", "staged"])
def test_training_in_chunks_ends_where_training_at_once_does(
    kind: str,
    setup: Setup,
    places: Places,
    tiny_pretrain: PretrainParams,
    course_of: Callable[..., Course],
):
    results = []
    for chunk in (0, CHUNK):
        params = tiny_pretrain.model_copy(update={"steps": 6, "chunk_items": chunk})
        model, drawn, maker = setup()
        figures = train(
            model, drawn, maker, course=course_of(params, kind), params=params, places=places
        )
        results.append((figures, torch.cat([p.flatten() for p in model.parameters()])))
    (plain, at_once), (in_chunks, chunked) = results
    assert torch.allclose(at_once, chunked, atol=2e-3)
    assert in_chunks["loss"] == pytest.approx(plain["loss"], rel=1e-3)
