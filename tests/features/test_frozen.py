"""A frozen tower gives the same of kept features as of pictures and texts, and learns on top."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from smar.artifacts import Manifest
from smar.errors import ParamsError
from smar.models.dual_encoder import DualEncoder
from smar.models.frozen import FeatureShape, Kept, PooledTop
from smar.models.frozen_image import FrozenImageTower
from smar.models.io import load_model, save_model
from smar.models.pretrained import Checkpoint
from smar.params import ModelParams
from tests.models.backbones.conftest import PAIR_KINDS, PICTURE_KINDS, TEXT_KINDS
from tests.models.backbones.test_backbones import TEXTS, Zoo, built, embedded, pictures_of


def frozen(
    params: ModelParams, starts: Mapping[str, Checkpoint], unfreeze: int | str = "none"
) -> DualEncoder:
    towers = {
        name: getattr(params, name).model_copy(update={"unfreeze": unfreeze, "pooling": "auto"})
        for name in starts
    }
    return built(params.model_copy(update=towers), starts)


def tokens(model: DualEncoder) -> tuple[torch.Tensor, torch.Tensor]:
    table = model.text_tokenizer.encode(TEXTS)
    return torch.from_numpy(table.ids).long(), torch.from_numpy(table.lengths).long()


def trained_names(model: DualEncoder, ids: torch.Tensor, lengths: torch.Tensor) -> set[str]:
    """Names of the parameters that a step moves."""
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    model.train()
    item = model.encode_item_tokens(ids, lengths, pictures_of(model), torch.arange(3))
    asked = model.query_tokenizer.encode(TEXTS)
    query = model.encode_query_tokens(
        torch.from_numpy(asked.ids).long(), torch.from_numpy(asked.lengths).long()
    )
    (query.embedding * (item.text + item.image + item.multimodal)).sum().backward()
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.data -= 0.1 * torch.ones_like(parameter)
    return {
        name for name, value in model.named_parameters() if not torch.equal(value, before[name])
    }


@pytest.mark.parametrize("kind", [*PICTURE_KINDS, *PAIR_KINDS])
def test_features_of_pictures_give_what_the_pictures_give(
    kind: str, zoo: Zoo, tiny_model_params: ModelParams, tmp_path: Path
):
    model = frozen(tiny_model_params, {"image": zoo(kind)})
    tower = model.image
    assert isinstance(tower, FrozenImageTower)
    pictures, owner = pictures_of(model, 4), torch.tensor([0, 0, 2, 2])
    with torch.inference_mode():
        kept = tower.features(pictures).half()
        assert kept.shape == (4, tower.shape.width)
        live, stored = (tower(each, owner, 3) for each in (pictures, kept))
    assert torch.allclose(live.embedding, stored.embedding, atol=2e-3)
    assert torch.allclose(live.hidden, stored.hidden, atol=2e-2)
    assert not stored.mask[1].any()
    assert not torch.allclose(live.embedding[0], live.embedding[2], atol=1e-3)
    save_model(model, tmp_path / "model", Manifest(kind="model"))
    mine, theirs = embedded(model), embedded(load_model(tmp_path / "model"))
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def without_layers(params: ModelParams) -> ModelParams:
    return params.model_copy(update={"image": params.image.model_copy(update={"layers": 0})})


@pytest.mark.parametrize("kind", [*PICTURE_KINDS, *PAIR_KINDS])
def test_without_layers_features_give_what_the_pictures_give(
    kind: str, zoo: Zoo, tiny_model_params: ModelParams, tmp_path: Path
):
    test_features_of_pictures_give_what_the_pictures_give(
        kind, zoo, without_layers(tiny_model_params), tmp_path
    )


def test_without_layers_a_picture_is_an_mlp_of_its_mean_place():
    """Places in another order are the same picture, but not the same tokens."""
    torch.manual_seed(3)
    kept = Kept("2x2", 2, colour=True, hidden=8, layers=0, heads=2, adds=False)
    shape = FeatureShape(pooled=6, places=4, widths=(5, 7, 3))
    top = PooledTop(shape, kept, 4)
    pooled, places = torch.randn(3, 6), torch.randn(3, 4, 15)
    states, picture = top(pooled, places)
    assert states.shape == (3, 5, 8)
    assert torch.equal(states[:, 0], picture)
    parts = [pooled, *torch.split(places.mean(1), [5, 7, 3], dim=-1)]
    norms = [torch.nn.functional.layer_norm(part, (part.shape[-1],)) for part in parts]
    inner = torch.nn.functional.gelu(top.expand(torch.cat(norms, dim=-1)))
    assert torch.allclose(picture, top.contract(inner), atol=1e-6)
    other_states, other = top(pooled, places.flip(1))
    assert torch.allclose(picture, other, atol=1e-6)
    assert not torch.allclose(states[:, 1:], other_states[:, 1:], atol=1e-3)


@pytest.mark.parametrize("layers", [0, 1])
@pytest.mark.parametrize("kind", PAIR_KINDS)
def test_frozen_pictures_in_one_space_with_texts_start_where_they_were(
    kind: str, layers: int, zoo: Zoo, tiny_model_params: ModelParams
):
    starts = {"image": zoo(kind), "text": zoo(kind), "query": zoo(kind)}
    params = tiny_model_params if layers else without_layers(tiny_model_params)
    live, kept = (frozen(params, starts, what) for what in ("all", "none"))
    for name in ("query", "text", "image"):
        assert torch.allclose(embedded(live)[name], embedded(kept)[name], atol=1e-5), name


@pytest.mark.parametrize("kind", [*TEXT_KINDS, *PAIR_KINDS])
def test_states_of_texts_give_what_the_texts_give(
    kind: str, zoo: Zoo, tiny_model_params: ModelParams
):
    model = frozen(tiny_model_params, {"text": zoo(kind)})
    ids, lengths = tokens(model)
    with torch.inference_mode():
        live = model.text(ids, lengths)
        stored = model.text(live.pooled.half(), torch.ones(3, dtype=torch.long))
    assert torch.allclose(live.embedding, stored.embedding, atol=2e-3)
    assert torch.allclose(live.pooled, stored.pooled, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("layers", [0, 1])
def test_of_frozen_towers_only_what_is_new_moves(
    layers: int, zoo: Zoo, tiny_model_params: ModelParams
):
    starts = {"query": zoo("bert"), "text": zoo("bert"), "image": zoo("resnet")}
    params = tiny_model_params if layers else without_layers(tiny_model_params)
    model = frozen(params, starts)
    moved = trained_names(model, *tokens(model))
    expected = {
        name
        for name, _ in model.named_parameters()
        if not name.startswith(("query.backbone", "text.backbone", "image.backbone", "gate"))
    }
    assert moved == expected
    buffers = {name for name, _ in model.named_buffers() if "running_mean" in name}
    assert buffers, "the network normalises over batches"
    fresh = frozen(params, starts)
    for name in buffers:
        assert torch.equal(model.get_buffer(name), fresh.get_buffer(name)), name


@pytest.mark.parametrize(
    ("kind", "last", "stays"),
    [("bert", 1, r"embeddings|layer\.0\."), ("bert", 2, "embeddings")],
)
def test_of_last_layers_exactly_those_move(
    kind: str, last: int, stays: str, zoo: Zoo, tiny_model_params: ModelParams
):
    model = frozen(tiny_model_params, {"text": zoo(kind)}, last)
    moved = trained_names(model, *tokens(model))
    for name, _ in model.text.backbone.named_parameters():
        assert (f"text.backbone.{name}" in moved) is (re.search(stays, name) is None), name


def test_more_last_layers_than_there_are_are_refused(zoo: Zoo, tiny_model_params: ModelParams):
    with pytest.raises(ParamsError, match="unfreeze: 9 layers of bert, which has 2"):
        frozen(tiny_model_params, {"text": zoo("bert")}, 9)


def test_low_rank_matrices_move_alone_and_are_merged(
    zoo: Zoo, tiny_model_params: ModelParams, tmp_path: Path
):
    starts = {"query": zoo("bert"), "text": zoo("bert"), "image": zoo("clip")}
    model = frozen(tiny_model_params, starts, "lora")
    before, names = embedded(model), {name for name, _ in model.named_parameters()}
    model.adapt()
    assert all(torch.allclose(before[name], now) for name, now in embedded(model).items())
    assert not {id(p) for p in model.pretrained_parameters()} & {
        id(p) for name, p in model.named_parameters() if name.endswith((".up", ".down"))
    }
    moved = trained_names(model, *tokens(model))
    inside = {name for name in moved if ".backbone." in name}
    assert inside
    assert all(name.endswith((".up", ".down")) for name in inside)
    model.eval()
    trained = embedded(model)
    assert not torch.allclose(trained["query"], before["query"], atol=1e-3)
    model.merge()
    assert {name for name, _ in model.named_parameters()} == names
    save_model(model, tmp_path / "model", Manifest(kind="model"))
    loaded = embedded(load_model(tmp_path / "model"))
    for name, value in trained.items():
        assert torch.allclose(value, loaded[name], atol=1e-5), name
