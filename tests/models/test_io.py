"""A saved model is the model that was saved, or an error."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from smar.artifacts import Manifest
from smar.data.images import ImageStore
from smar.errors import ArtifactError, ParamsError
from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.encode import encode_items, encode_queries
from smar.models.io import load_model, save_model
from smar.models.searched import FILE, Searched
from smar.models.tokenizer import train_tokenizer
from smar.params import ModelParams

TEXTS = ["red boot", "a novel", "", "an unheard-of query \u00fc"]


@pytest.fixture
def saved(tiny_model: Callable[[], DualEncoder], tmp_path: Path) -> Path:
    path = tmp_path / "model"
    save_model(tiny_model(), path, Manifest(kind="model"))
    return path


def test_model_reloads_to_the_same_embeddings(
    tiny_model: Callable[[], DualEncoder],
    saved: Path,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
):
    first, second = tiny_model().eval(), load_model(saved)
    for model in (first, second):
        assert not model.training
    assert np.array_equal(encode_queries(first, TEXTS).vector, encode_queries(second, TEXTS).vector)
    one, two = (encode_items(model, tiny_items, tiny_images, 8) for model in (first, second))
    for name in ("text", "image", "multimodal"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


def test_model_comes_back_with_the_words_that_it_reads_of_items(
    tiny_model: Callable[[], DualEncoder],
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
    tmp_path: Path,
):
    model, ids = tiny_model().eval(), tiny_items["item_id"].tolist()
    plain = encode_items(model, tiny_items, tiny_images, 8)
    model.searched = Searched.named(ids, ["novel teal", *[""] * (len(ids) - 1)])
    told = encode_items(model, tiny_items, tiny_images, 8)
    differs = np.abs(told.text - plain.text).max(1) > 1e-4
    assert differs.tolist() == [True, *[False] * (len(ids) - 1)]
    for path in (tmp_path / "once", tmp_path / "twice"):
        save_model(model, path, Manifest(kind="model"))
        model = load_model(path)
    assert model.searched.of([ids[0], ids[1], "new"]) == ["novel teal", "", ""]
    again = encode_items(model, tiny_items, tiny_images, 8)
    assert np.array_equal(again.multimodal, told.multimodal)
    given = encode_items(model, tiny_items, tiny_images, 8, searched=[""] * len(ids))
    assert np.allclose(given.text, plain.text, atol=1e-6)


def test_model_without_such_words_writes_no_file(saved: Path):
    assert not (saved / FILE).exists()
    assert not load_model(saved).searched
    assert load_model(saved).searched.of(["a"]) == [""]


def test_model_saved_twice_is_the_same_bytes(
    tiny_model: Callable[[], DualEncoder], saved: Path, tmp_path: Path
):
    save_model(tiny_model(), tmp_path / "again", Manifest(kind="model"))
    for file in saved.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_model_from_before_there_was_a_choice_of_patches_loads(
    saved: Path, reseal: Callable[[Path], None]
):
    config = json.loads((saved / "config.json").read_text())
    del config["image"]["stem"], config["image"]["pooling"]
    (saved / "config.json").write_text(json.dumps(config))
    reseal(saved)
    assert load_model(saved).image.pooling == "cls"


def test_model_with_changed_weights_is_refused(saved: Path, reseal: Callable[[Path], None]):
    weights = load_file(saved / "model.safetensors")
    weights["query.projection.weight"][0] += 0.5 * torch.randn(24)
    save_file(weights, saved / "model.safetensors")
    reseal(saved)
    with pytest.raises(ArtifactError, match="gives other query embeddings"):
        load_model(saved)


def test_model_with_other_preprocessing_is_refused(saved: Path, reseal: Callable[[Path], None]):
    config = json.loads((saved / "config.json").read_text())
    config["image"]["mean"] = [0.4, 0.5, 0.6]
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    (saved / "config.json").write_text(text)
    reseal(saved)
    with pytest.raises(ArtifactError, match="gives other image embeddings"):
        load_model(saved)


def test_model_with_a_missing_weight_is_refused(saved: Path):
    weights = load_file(saved / "model.safetensors")
    del weights["query.projection.bias"]
    save_file(weights, saved / "model.safetensors")
    with pytest.raises(ArtifactError, match=r"damaged|cannot be rebuilt"):
        load_model(saved)


def test_truncated_model_is_refused(saved: Path):
    file = saved / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(ArtifactError, match=r"model\.safetensors is \d+ bytes, expected \d+"):
        load_model(saved)


def test_unknown_fusion_is_refused(tiny_model_params: ModelParams):
    tokenizer = train_tokenizer(["red boot"], 300, 8)
    with pytest.raises(
        ParamsError, match=r"model\.fusion: unknown 'concatt'.*Did you mean 'concat'"
    ):
        build_model(
            tiny_model_params.model_copy(update={"fusion": "concatt"}),
            query_tokenizer=tokenizer,
            text_tokenizer=tokenizer,
            picture_size=(16, 16),
        )
