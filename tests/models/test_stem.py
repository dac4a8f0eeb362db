"""Patches made by convolutions."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from smar.artifacts import Manifest
from smar.errors import ParamsError
from smar.models.building import build_image_tower
from smar.models.dual_encoder import DualEncoder
from smar.models.io import load_model, save_model
from smar.models.stem import ConvStem, set_conv_stem
from smar.params import ModelParams


@pytest.mark.parametrize("patch", [4, 7, 10, 16, 20])
def test_there_is_one_state_for_each_patch(patch: int):
    stem = ConvStem(192, patch)
    assert stem(torch.zeros(2, 3, 3 * patch, 2 * patch)).shape == (2, 192, 3, 2)


def test_a_picture_does_not_depend_on_its_neighbours():
    stem = ConvStem(32, 8)
    pictures = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(stem(pictures)[1], stem(pictures[1:2])[0], atol=1e-6)


def test_a_saved_model_keeps_its_stem(
    tiny_model: Callable[..., DualEncoder], tiny_model_params: ModelParams, tmp_path: Path
):
    params = tiny_model_params.image.model_copy(update={"stem": "conv"})
    model = tiny_model()
    model.image = build_image_tower(params, model.dim, model.image.size)
    save_model(model, tmp_path / "model", Manifest(kind="model"))
    assert isinstance(
        load_model(tmp_path / "model").image.backbone.embeddings.patch_embeddings.projection,
        ConvStem,
    )


def test_a_backbone_without_patches_is_refused():
    with pytest.raises(ParamsError, match="needs an architecture with patches"):
        set_conv_stem(nn.Linear(2, 2))
