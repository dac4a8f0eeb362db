"""Embeddings that are trained to be cut."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from smar.artifacts import Manifest
from smar.errors import ParamsError
from smar.losses import build_loss
from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.io import KIND, load_model, save_model
from smar.models.lengths import cut
from smar.params import LossParams, ModelParams, Params
from smar.train.batching import BatchMaker
from smar.train.cached import cached_step
from smar.train.dataset import TrainingData
from smar.train.large import LargeBatch
from smar.train.precision import Precision
from smar.train.sampling import PairSampler
from smar.train.scoring import WHOLE, encode_batch
from smar.train.step import finetune_step
from smar.train.weighting import TaskWeights

LENGTHS = [16, 8, 3]


@pytest.fixture
def nested(tiny_model_params: ModelParams, tiny_model: Callable[[], DualEncoder]) -> DualEncoder:
    tokenizer = tiny_model().query_tokenizer
    torch.manual_seed(0)
    model = build_model(
        tiny_model_params.model_copy(update={"matryoshka": LENGTHS}),
        query_tokenizer=tokenizer,
        text_tokenizer=tokenizer,
        picture_size=(16, 16),
    )
    model.set_gate("per_item")
    return model


def test_cut_rows_have_unit_norm_and_zeros_stay():
    rows = torch.tensor([[0.6, 0.0, 0.8], [0.0, 0.0, 0.0]])
    assert torch.equal(cut(rows, 2), torch.tensor([[1.0, 0.0], [0.0, 0.0]]))


def test_loss_is_the_mean_of_the_losses_of_the_first_numbers(
    nested: DualEncoder,
    tiny_data: TrainingData,
    tiny_maker: Callable[[DualEncoder], BatchMaker],
    tiny_loss: LossParams,
):
    sampler = PairSampler(tiny_data, items_per_step=12, queries_per_item=2, real_frac=0.5, seed=3)
    maker, draw = tiny_maker(nested), sampler.draw(0)
    tasks = {"gated": 1.0, "text": 0.3, "image": 0.3, "multimodal": 0.3}
    step = finetune_step(TaskWeights(tasks, is_learned=False), build_loss(tiny_loss))
    batch = maker.make(draw)
    output = step(nested, batch)
    encoded = encode_batch(nested, batch)
    losses = []
    for length in LENGTHS:
        part = encoded.cut(length)
        for vectors in (part.query.embedding, part.item.text, part.item.multimodal):
            assert vectors.shape[-1] == length
            assert torch.allclose(vectors.norm(dim=-1), torch.ones(()), atol=1e-5)
        losses.append(float(step.total(step.terms(nested.gate, part, batch, WHOLE)).detach()))
    assert float(output.loss.detach()) == pytest.approx(sum(losses) / len(LENGTHS), rel=1e-5)
    assert len(set(losses)) == len(LENGTHS)
    output.loss.backward()
    expected = {name: p.grad.clone() for name, p in nested.named_parameters() if p.grad is not None}
    nested.zero_grad(set_to_none=True)
    cached_step(step, nested, LargeBatch.make(maker, draw, 5), Precision("float32", "test"))
    for name, value in nested.named_parameters():
        if name in expected:
            assert torch.allclose(value.grad, expected[name], rtol=1e-5, atol=1e-4), name


def test_a_saved_model_remembers_its_lengths(
    nested: DualEncoder, tiny_model: Callable[[], DualEncoder], tmp_path: Path
):
    save_model(nested, tmp_path / "model", Manifest(kind=KIND))
    assert load_model(tmp_path / "model").options.lengths == LENGTHS
    assert "lengths" not in tiny_model().settings()["options"]


@pytest.mark.parametrize("lengths", [[96, 48], [192, 256], [192, 96, 96], [192, 0]])
def test_lengths_that_make_no_sense_are_refused(lengths: list[int]):
    with pytest.raises(ValueError, match=r"matryoshka"):
        ModelParams(dim=192, matryoshka=lengths)


def test_an_index_longer_than_the_model_is_refused(shipped: Params):
    content = shipped.model_dump(by_alias=True)
    content["index"]["dim"] = 256
    with pytest.raises((ValueError, ParamsError), match=r"index.dim: 256 is above model.dim, 192"):
        Params(**content)
