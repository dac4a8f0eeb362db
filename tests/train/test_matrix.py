"""Every sensible combination trains for some steps, and comes back from disk as it was."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from smar.artifacts import Manifest
from smar.data.images import ImageStore
from smar.losses import build_loss
from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.encode import encode_items, encode_queries
from smar.models.io import load_model, save_model
from smar.params import (
    FinetuneParams,
    LossParams,
    ModelParams,
    PretrainParams,
    QueryVectorParams,
)
from smar.params.kinds import CURRICULA, FUSIONS, GATES, LOSSES
from smar.train.batching import BatchMaker
from smar.train.course import Course, finetune_course
from smar.train.dataset import TrainingData
from smar.train.loop import Places, train
from smar.train.precision import Precision
from smar.train.sampling import PairSampler
from smar.train.step import pretrain_step
from smar.train.weighting import TaskWeights

TEXTS = ["red boot", "a novel", ""]
CourseOf = Callable[..., Course]


@pytest.fixture
def build(
    tiny_model: Callable[[], DualEncoder], tiny_model_params: ModelParams
) -> Callable[..., DualEncoder]:
    """Return a builder of untrained models that differ from the tiny one as told."""
    tiny = tiny_model()

    def of(**changes: object) -> DualEncoder:
        torch.manual_seed(0)
        return build_model(
            tiny_model_params.model_copy(update=changes),
            query_tokenizer=tiny.query_tokenizer,
            text_tokenizer=tiny.text_tokenizer,
            picture_size=(16, 16),
        )

    return of


@pytest.fixture
def sampler(tiny_data: TrainingData) -> PairSampler:
    return PairSampler(tiny_data, items_per_step=12, queries_per_item=2, real_frac=0.5, seed=3)


def assert_reloads(model: DualEncoder, path: Path, items: pd.DataFrame, images: ImageStore) -> None:
    save_model(model, path, Manifest(kind="model"))
    again = load_model(path)
    assert again.options == model.options
    one, two = encode_queries(model, TEXTS), encode_queries(again, TEXTS)
    assert np.array_equal(one.vector, two.vector)
    assert np.array_equal(one.gate, two.gate)
    mine, theirs = (encode_items(m, items, images, 24) for m in (model, again))
    for name in ("text", "image", "multimodal"):
        assert np.array_equal(getattr(mine, name), getattr(theirs, name))


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_every_fusion_trains_with_every_loss(
    fusion: str,
    loss: str,
    build: Callable[..., DualEncoder],
    sampler: PairSampler,
    tiny_maker: Callable[[DualEncoder], BatchMaker],
    tiny_pretrain: PretrainParams,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
    course_of: CourseOf,
    places: Places,
    tmp_path: Path,
):
    model = build(fusion=fusion)
    before = model.query.projection.weight.clone()
    params = tiny_pretrain.model_copy(update={"steps": 3})
    course = course_of(params, loss_kind=loss)
    figures = train(model, sampler, tiny_maker(model), course=course, params=params, places=places)
    assert all(math.isfinite(value) for value in figures.values())
    assert not torch.equal(before, model.query.projection.weight)
    assert_reloads(model, tmp_path / "model", tiny_items, tiny_images)


@pytest.mark.parametrize("curriculum", sorted(CURRICULA))
@pytest.mark.parametrize("kind", sorted(GATES))
def test_every_gate_trains_after_every_curriculum(
    kind: str,
    curriculum: str,
    build: Callable[..., DualEncoder],
    sampler: PairSampler,
    tiny_maker: Callable[[DualEncoder], BatchMaker],
    tiny_pretrain: PretrainParams,
    tiny_finetune: FinetuneParams,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
    tiny_loss: LossParams,
    course_of: CourseOf,
    places: Places,
    tmp_path: Path,
):
    model = build(query_vectors=QueryVectorParams(count=2, beta=0.1))
    maker = tiny_maker(model)
    params = tiny_pretrain.model_copy(update={"steps": 5})
    course = course_of(params, curriculum)
    train(model, sampler, maker, course=course, params=params, places=places)
    model.set_gate(kind)
    params = tiny_finetune.model_copy(update={"steps": 3})
    figures = train(
        model,
        sampler,
        maker,
        course=finetune_course(params, build_loss(tiny_loss), is_learned=False),
        params=params,
        places=Places(tmp_path / "c", tmp_path / "h.tsv", tmp_path / "p.json"),
    )
    assert all(math.isfinite(value) for value in figures.values())
    assert_reloads(model, tmp_path / "model", tiny_items, tiny_images)


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_every_fusion_trains_in_bfloat16(
    fusion: str,
    build: Callable[..., DualEncoder],
    sampler: PairSampler,
    tiny_maker: Callable[[DualEncoder], BatchMaker],
    tiny_loss: LossParams,
):
    model = build(fusion=fusion, query_vectors=QueryVectorParams(count=2, beta=0.1))
    tasks = TaskWeights({"text": 1.0, "image": 1.0, "multimodal": 1.0}, is_learned=False)
    batch, losses = tiny_maker(model).make(sampler.draw(0)), []
    for name in ("float32", "bfloat16"):
        with Precision(name, "").autocast(model.device):
            losses.append(pretrain_step(tasks, build_loss(tiny_loss))(model, batch).loss)
    losses[1].backward()
    assert losses[1].dtype == torch.float32
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=0.02)


def test_pictures_are_not_encoded_for_text_alone(
    build: Callable[..., DualEncoder],
    sampler: PairSampler,
    tiny_maker: Callable[[DualEncoder], BatchMaker],
    tiny_loss: LossParams,
):
    model = build(fusion="text_only")
    batch = tiny_maker(model).make(sampler.draw(0))
    seen = []
    model.image.backbone.register_forward_hook(lambda *_: seen.append(1))
    only_text = TaskWeights({"text": 1.0, "image": 0.0, "multimodal": 0.0}, is_learned=False)
    pretrain_step(only_text, build_loss(tiny_loss))(model, batch)
    assert not seen
    with_image = TaskWeights({"text": 1.0, "image": 0.5, "multimodal": 0.0}, is_learned=False)
    pretrain_step(with_image, build_loss(tiny_loss))(model, batch)
    assert seen
