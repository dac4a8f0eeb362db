"""Training runs: they learn, repeat to the bit, survive being stopped, and refuse nonsense."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from smar.data.batching import BatchMaker, PairSampler
from smar.data.dataset import TrainingData
from smar.errors import TrainingError
from smar.models.retriever import RetrieverModel
from smar.params import GateParams, LossParams, PretrainParams
from smar.train.loop import Places, train
from smar.train.step import Step, StepOutput, check_losses, finetune_step, pretrain_step

Setup = Callable[[], tuple[RetrieverModel, PairSampler, BatchMaker]]
LOSS = LossParams(kind="softmax", temperature=0.1)


def weights(model: RetrieverModel) -> torch.Tensor:
    return torch.cat([value.flatten() for value in model.state_dict().values()])


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "checkpoint", tmp_path / "history.tsv", tmp_path / "precision.json")


@pytest.fixture
def setup(
    tiny_model: Callable[[], RetrieverModel],
    tiny_data: TrainingData,
    tiny_maker: Callable[[RetrieverModel], BatchMaker],
) -> Setup:
    def make() -> tuple[RetrieverModel, PairSampler, BatchMaker]:
        model = tiny_model()
        sampler = PairSampler(
            tiny_data, items_per_step=16, queries_per_item=1, real_frac=0.5, seed=3
        )
        return model, sampler, tiny_maker(model)

    return make


def test_training_overfits_a_handful_of_pairs(
    setup: Setup, places: Places, tiny_pretrain: PretrainParams
):
    figures = train(
        *setup(),
        step=pretrain_step(tiny_pretrain, LOSS),
        params=tiny_pretrain.model_copy(update={"steps": 160}),
        places=places,
    )
    assert figures["chance_text"] < 0.5
    history = pd.read_csv(places.history, sep="\t")
    assert history["chance_text"].iloc[0] > 0.9
    assert {"learning_rate", "norm_query", "norm_text", "norm_image"} <= set(history.columns)


def test_training_twice_gives_the_same_weights(
    setup: Setup, places: Places, tiny_pretrain: PretrainParams
):
    results = []
    for _ in range(2):
        model, sampler, maker = setup()
        step = pretrain_step(tiny_pretrain, LOSS)
        train(model, sampler, maker, step=step, params=tiny_pretrain, places=places)
        results.append(weights(model))
    assert torch.equal(*results)


def test_training_goes_on_from_a_checkpoint_to_the_same_weights(
    setup: Setup, places: Places, tiny_pretrain: PretrainParams
):
    params = tiny_pretrain.model_copy(update={"steps": 8, "checkpoint_s": 1e-9})
    whole, sampler, maker = setup()
    step = pretrain_step(params, LOSS)
    train(whole, sampler, maker, step=step, params=params, places=places)
    elsewhere = replace(places, checkpoint=places.checkpoint.with_name("stopped"))
    stopped, sampler, maker = setup()
    with pytest.raises(KeyboardInterrupt):
        train(stopped, sampler, maker, step=_stop_after(step, 5), params=params, places=elsewhere)
    resumed, sampler, maker = setup()
    train(resumed, sampler, maker, step=step, params=params, places=elsewhere)
    assert torch.equal(weights(whole), weights(resumed))


def _stop_after(step: Step, number: int) -> Step:
    """Return a step that runs as given, and is killed from outside after some calls."""
    calls = 0

    def wrapped(model, batch) -> StepOutput:
        nonlocal calls
        calls += 1
        if calls > number:
            raise KeyboardInterrupt
        return step(model, batch)

    return wrapped


def test_training_stops_with_the_step_when_the_loss_is_not_finite(
    setup: Setup, places: Places, tiny_pretrain: PretrainParams
):
    model, sampler, maker = setup()
    with torch.no_grad():
        model.query.projection.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"step 0 of 6: .*not finite"):
        train(
            model,
            sampler,
            maker,
            step=pretrain_step(tiny_pretrain, LOSS),
            params=tiny_pretrain,
            places=places,
        )


@pytest.mark.parametrize("kind", ["category", "learned"])
def test_finetuning_trains_the_gate(kind: str, setup: Setup, places: Places, tiny_finetune):
    gate = GateParams(kind=kind, visual_categories=["Shoes"], weight=1.0)
    model, sampler, maker = setup()
    before = model.gate.contract.weight.clone()
    train(
        model,
        sampler,
        maker,
        step=finetune_step(tiny_finetune, LOSS, gate),
        params=tiny_finetune,
        places=places,
    )
    assert not torch.equal(before, model.gate.contract.weight)


def test_unknown_kinds_are_refused_with_a_near_match():
    gate = GateParams(kind="lerned", visual_categories=[], weight=0.0)
    with pytest.raises(ValueError, match=r"gate\.kind: unknown 'lerned'.*Did you mean 'learned'"):
        check_losses(LOSS, gate)
