"""How pretrained towers train: what moves, when, and the same again after a stop."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from smar.models.dual_encoder import DualEncoder
from smar.params import ModelParams, PretrainParams
from smar.train.batching import BatchMaker
from smar.train.course import Course
from smar.train.dataset import TrainingData
from smar.train.loop import Places, train
from smar.train.sampling import PairSampler
from tests.models.backbones.conftest import zoo
from tests.models.backbones.test_backbones import Zoo, built

__all__ = ["zoo"]

Build = Callable[[int | str], DualEncoder]


@pytest.fixture
def build(zoo: Zoo, tiny_model_params: ModelParams) -> Build:
    """Return a builder of models whose towers start from tiny checkpoints, by `unfreeze`."""
    starts = {"query": zoo("bert"), "text": zoo("bert"), "image": zoo("vit")}

    def of(unfreeze: int | str) -> DualEncoder:
        towers = {
            name: getattr(tiny_model_params, name).model_copy(update={"unfreeze": unfreeze})
            for name in starts
        }
        return built(tiny_model_params.model_copy(update=towers), starts)

    return of


@pytest.fixture
def run(
    tiny_data: TrainingData,
    tiny_maker: Callable[[DualEncoder], BatchMaker],
    course_of: Callable[..., Course],
    tiny_pretrain: PretrainParams,
    places: Places,
) -> Callable[..., DualEncoder]:
    """Return what trains a model with some parameters, perhaps stopped before a step."""

    def go(model: DualEncoder, name: str, *, stop: int = 100, **changes: Any) -> DualEncoder:
        params = tiny_pretrain.model_copy(update={"checkpoint_s": 1e-9, **changes})
        sampler = PairSampler(
            tiny_data, items_per_step=16, queries_per_item=1, real_frac=0.5, seed=3
        )
        draw = sampler.draw

        def until(step: int) -> Any:
            if step >= stop:
                raise KeyboardInterrupt
            return draw(step)

        sampler.draw = until  # type: ignore[method-assign]
        course, maker = course_of(params), tiny_maker(model)
        where = replace(places, checkpoint=places.checkpoint.with_name(name))
        train(model, sampler, maker, course=course, params=params, places=where)
        return model

    return go


def weights(model: DualEncoder) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def changed(model: DualEncoder, before: dict[str, torch.Tensor]) -> set[str]:
    return {
        name for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    }


@pytest.mark.parametrize("unfreeze", ["none", "lora", 1])
def test_a_stopped_run_of_pretrained_towers_ends_in_the_same_weights(
    unfreeze: int | str, build: Build, run: Callable[..., DualEncoder]
):
    whole = run(build(unfreeze), "whole")
    with pytest.raises(KeyboardInterrupt):
        run(build(unfreeze), "stopped", stop=4)
    again = run(build(unfreeze), "stopped")
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(again)[name]), name
    moved = {name for name in changed(whole, weights(build(unfreeze))) if ".backbone." in name}
    assert bool(moved) is (unfreeze != "none")


def test_what_is_new_learns_alone_in_its_head_start(build: Build, run: Callable[..., DualEncoder]):
    model = build("all")
    before = weights(model)
    moved = changed(run(model, "one", head_start=1.0), before)
    assert moved
    assert all(name.startswith(("fusion", "gate")) for name in moved)
    moved = changed(run(build("all"), "other", head_start=0.5), before)
    assert any(".backbone." in name for name in moved)


def test_lower_layers_learn_slower(build: Build, run: Callable[..., DualEncoder]):
    model = build("all")
    before = weights(model)
    after = weights(
        run(model, "one", layer_decay=0.1, steps=1, pretrained_rate=1.0, warmup_frac=0.0)
    )
    steps = [
        float((after[name] - before[name]).abs().max())
        for name in (
            "text.backbone.encoder.layer.1.output.dense.weight",
            "text.backbone.encoder.layer.0.output.dense.weight",
            "text.backbone.embeddings.LayerNorm.weight",
        )
    ]
    assert steps[0] == pytest.approx(10 * steps[1], rel=0.05)
    assert steps[1] == pytest.approx(10 * steps[2], rel=0.3)


def test_states_that_are_computed_again_give_the_same_weights(
    build: Build, run: Callable[..., DualEncoder]
):
    kept, again = (run(build("all"), str(on), steps=2, recompute=on) for on in (False, True))
    for name, value in weights(kept).items():
        assert np.allclose(value, weights(again)[name], atol=1e-5), name
