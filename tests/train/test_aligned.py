"""An aligned start: canonical correlations in closed form, and towers that find by them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from smar.artifacts import Manifest
from smar.data.images import ImageStore
from smar.data.text import item_texts
from smar.errors import DataError, ParamsError
from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.encode import encode_items
from smar.models.io import KIND, load_model, save_model
from smar.models.tokenizer import train_tokenizer
from smar.params import FeaturesParams, ModelParams
from smar.train import aligned
from smar.train.aligned import Moments, align, canonical
from tests.models.backbones.test_backbones import Zoo

Build = Callable[..., DualEncoder]
NONE = np.empty(0, np.int64)
PARTS = ("weight", "bias")
NORMS = ("pooled_norm", "norms.0", "norms.1", "norms.2", "norms.3", "norms.4")


@pytest.fixture
def build(zoo: Zoo, tiny_model_params: ModelParams, tiny_items: pd.DataFrame) -> Build:
    """Return a builder of models with an MLP over a frozen picture network."""

    def of(**image: object) -> DualEncoder:
        torch.manual_seed(0)
        texts = item_texts(tiny_items)
        picture = {"unfreeze": "none", "layers": 0, "pooling": "auto"} | image
        towers = {
            "image": tiny_model_params.image.model_copy(update=picture),
            "query": tiny_model_params.query.model_copy(update={"pooling": "mean"}),
        }
        return build_model(
            tiny_model_params.model_copy(update={"shared_words": True, **towers}),
            query_tokenizer=train_tokenizer(texts, 400, 12),
            text_tokenizer=train_tokenizer(texts, 400, 16),
            picture_size=(16, 16),
            starts={"image": zoo("convnext")},
            features=FeaturesParams(tokens="1"),
        ).eval()

    return of


def weights(model: DualEncoder) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def moments_of(x: NDArray[np.float32], y: NDArray[np.float32]) -> Moments:
    mean, total = x.mean(0), len(x)
    centred = x - mean
    return Moments(mean, centred.T @ centred / total, centred.T @ y / total, y.T @ y / total)


def test_canonical_maps_are_white_and_meet_in_their_correlations():
    """With s the correlations: A'C_xx A = B'C_yy B = s^2 and A'C_xy B = s^3, off the diagonal 0."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 6)).astype(np.float32)
    y = (rng.normal(size=(400, 9)) + 2 * x[:, [0, 1, 2] * 3]).astype(np.float32)
    moments, scale = moments_of(x, y), np.full(6, 0.5, np.float32)
    of_picture, of_word = canonical(moments, scale, 4)
    xx, yy = moments.pictures * 0.25, moments.words
    xx, yy = (c + np.trace(c) / len(c) * np.eye(len(c)) for c in (xx, yy))
    inner = of_picture / 0.5
    white = np.linalg.inv(np.linalg.cholesky(xx)) @ (moments.both * 0.5)
    white = white @ np.linalg.inv(np.linalg.cholesky(yy)).T
    expected = np.linalg.svd(white)[1][:4]
    assert np.allclose(inner.T @ xx @ inner, np.diag(expected**2), atol=1e-3)
    assert np.allclose(of_word.T @ yy @ of_word, np.diag(expected**2), atol=1e-3)
    cross = of_picture.T @ moments.both @ of_word
    assert np.allclose(cross, np.diag(expected**3), atol=1e-3)


def test_pictures_find_and_are_found_by_words_that_tell_them(
    build: Build, tiny_items: pd.DataFrame, tiny_images: ImageStore
):
    """Random pictures say nothing but which item they are of: titles are learned by heart."""
    ranks = {}
    for name in ("random", "aligned", "contrasted"):
        model = build()
        if name != "random":
            align(model, tiny_items, tiny_images, NONE, by_contrast=name == "contrasted")
        found = encode_items(model, tiny_items, tiny_images, 8, bar=False)
        seen = np.flatnonzero(found.image.any(1))
        scores = found.text[seen] @ found.image[seen].T
        ranks[name] = (scores > np.diag(scores)[:, None]).sum(1).mean()
    assert ranks["aligned"] < 2
    assert ranks["contrasted"] < 2
    assert ranks["random"] > 5


def test_the_mlp_is_the_linear_map_of_pictures(
    build: Build, tiny_items: pd.DataFrame, tiny_images: ImageStore, monkeypatch: pytest.MonkeyPatch
):
    maps: list[NDArray[np.float32]] = []

    def kept(*arguments: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        maps[:] = canonical(*arguments)
        return maps[0], maps[1]

    monkeypatch.setattr(aligned, "canonical", kept)
    model = build()
    align(model, tiny_items, tiny_images, NONE)
    rows = tiny_items[tiny_items["image_ids"].str.len() > 0]
    seen = np.concatenate(
        [x for _, x in aligned._pictures(model.image, model.image.top, rows, tiny_images)]
    )
    expected = (seen - seen.mean(0)) @ maps[0]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = encode_items(model, rows, tiny_images, 8, bar=False).image
    assert np.allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("by_contrast", [False, True])
def test_items_that_are_left_out_change_nothing(
    build: Build, tiny_items: pd.DataFrame, tiny_images: ImageStore, by_contrast: bool
):
    left_out = np.array([3, 8, 20])
    found = []
    for other in (False, True):
        items, model = tiny_items.copy(), build()
        if other:
            items.loc[left_out, "title"] = "red novel"
        torch.manual_seed(1)
        align(model, items, tiny_images, left_out, by_contrast=by_contrast)
        found.append(weights(model))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_batches_change_nothing(
    build: Build,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
    monkeypatch: pytest.MonkeyPatch,
):
    found = []
    for size in (1024, 5):
        monkeypatch.setattr(aligned, "_BATCH", size)
        model = build()
        torch.manual_seed(1)
        align(model, tiny_items, tiny_images, NONE)
        vectors = encode_items(model, tiny_items, tiny_images, 8, bar=False)
        found.append(np.abs(vectors.text @ vectors.image.T))
    assert np.allclose(found[0], found[1], atol=1e-2)


def test_the_first_token_of_every_text_is_not_seen(
    build: Build, tiny_items: pd.DataFrame, tiny_images: ImageStore
):
    model = build()
    align(model, tiny_items, tiny_images, NONE)
    first = int(model.text_tokenizer.encode(["red"]).ids[0, 0])
    vector = model.text.backbone.get_input_embeddings().weight[first]
    assert vector.norm() > 1
    assert model.query.projection(vector).abs().max() < 1e-4


def test_what_is_aligned_learns_at_the_rate_of_what_was_pretrained(
    build: Build, tiny_items: pd.DataFrame, tiny_images: ImageStore, tmp_path: Path
):
    """The map of pictures alone: words learn as what is new."""
    model = build()
    before = {id(parameter) for parameter in model.pretrained_parameters()}
    align(model, tiny_items, tiny_images, NONE)
    save_model(model, tmp_path / "model", Manifest(kind=KIND))
    for each in (model, load_model(tmp_path / "model")):
        old = {id(parameter) for parameter in each.pretrained_parameters()}
        aligned_now = {
            name
            for name, parameter in each.named_parameters()
            if id(parameter) in old and not name.startswith("image.backbone")
        }
        assert aligned_now == {
            *(f"image.projection.{of}" for of in PARTS),
            *(f"image.top.{name}.{of}" for name in ("expand", "contract") for of in PARTS),
            *(f"image.top.{name}.{of}" for name in NORMS for of in PARTS),
        }
    assert len(before) == len(list(model.image.backbone.parameters()))


def test_a_transformer_over_places_is_refused(
    build: Build, tiny_items: pd.DataFrame, tiny_images: ImageStore
):
    with pytest.raises(ParamsError, match="expected an MLP over a frozen model of pictures alone"):
        align(build(layers=1), tiny_items, tiny_images, NONE)


def test_a_catalogue_without_pictures_is_refused(
    build: Build, tiny_items: pd.DataFrame, tiny_images: ImageStore
):
    with pytest.raises(DataError, match="none of the items to learn from has a picture"):
        align(build(), tiny_items, tiny_images, np.arange(len(tiny_items)))
