"""The image tower from nothing: pooling, layers, and batches without any picture."""

import pytest
import torch
from pydantic import ValidationError

from smar.models.building import build_image_tower
from smar.models.image import ImageTower
from smar.params import ImageTowerParams, ModelParams


def tower_of(params: ModelParams, **changes: object) -> ImageTower:
    torch.manual_seed(0)
    image = ImageTowerParams.model_validate(params.image.model_dump() | changes)
    return build_image_tower(image, 16, (16, 16)).eval()


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_batch_without_any_picture_is_zero(tiny_model_params: ModelParams, pooling: str):
    tower = tower_of(tiny_model_params, pooling=pooling)
    nothing = torch.zeros(0, 16, 16, 3, dtype=torch.uint8)
    output = tower(nothing, torch.zeros(0, dtype=torch.long), 3)
    assert not output.embedding.any()
    assert not output.pooled.any()
    assert not output.mask.any()


def test_without_layers_the_mean_of_the_patches_ignores_where_they_are(
    tiny_model_params: ModelParams,
):
    tower = tower_of(tiny_model_params, layers=0, pooling="mean")
    tower.backbone.embeddings.position_embeddings.data.zero_()
    picture = torch.randint(0, 256, (1, 16, 16, 3), dtype=torch.uint8)
    turned = picture.roll(8, dims=1)  # patches of 8 pixels change places
    owner = torch.zeros(1, dtype=torch.long)
    both = [tower(each, owner, 1).embedding for each in (picture, turned)]
    assert torch.allclose(*both, atol=1e-5)


def test_first_token_without_layers_is_refused(tiny_model_params: ModelParams):
    with pytest.raises(ValidationError, match="the first token sees no patch"):
        tower_of(tiny_model_params, layers=0)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_several_pictures_count_as_their_mean(tiny_model_params: ModelParams, pooling: str):
    tower = tower_of(tiny_model_params, pooling=pooling)
    pictures = torch.randint(0, 256, (3, 16, 16, 3), dtype=torch.uint8)
    alone = tower(pictures, torch.arange(3), 3).pooled
    together = tower(pictures, torch.tensor([0, 0, 1]), 2).pooled
    assert torch.allclose(together[0], alone[:2].mean(0), atol=1e-5)
    assert torch.allclose(together[1], alone[2], atol=1e-5)
