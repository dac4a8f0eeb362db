"""timm's layout is taken in as a picture model that gives the same states."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from smar.errors import ParamsError
from smar.models.backbone import config_dict, load_pretrained, rebuild
from smar.models.building import build_image_tower
from smar.models.frozen_image import FrozenImageTower
from smar.models.layouts import convert, layout_of
from smar.models.origin import layers_of
from smar.models.pretrained import Checkpoint
from smar.models.timm_picture import load_timm
from smar.params import FeaturesParams, ModelParams
from tests.models.backbones.test_backbones import assert_trains_and_reloads, built

SMALL: dict[str, dict[str, Any]] = {
    "vit_small_patch14_reg4_dinov2": {"depth": 2, "embed_dim": 24, "img_size": 56},
    "vit_base_patch16_siglip_224": {"depth": 2, "embed_dim": 24, "img_size": 32},
    "test_resnet": {},
    "test_convnext": {},
    "swin_tiny_patch4_window7_224": {"embed_dim": 12, "depths": [1, 1, 1, 1]},
}
LAYERS = {"test_convnext": "stages", "swin_tiny_patch4_window7_224": "layers"}


@pytest.fixture
def theirs() -> Any:
    try:
        return load_timm()
    except ParamsError as error:
        pytest.skip(f"needs the extra timm ({error})")


def write(timm: Any, name: str, folder: Path) -> Any:
    """Write a small network in timm's layout, its classifier included; return it."""
    from timm.models import save_for_hf

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model(name, pretrained=False, **SMALL[name]).eval()
    save_for_hf(network, folder, safe_serialization=True, model_args=SMALL[name])
    return network


@pytest.mark.parametrize("name", SMALL)
def test_a_network_gives_what_timm_gives(
    name: str, theirs: Any, tmp_path: Path, tiny_model_params: ModelParams
):
    network = write(theirs, name, tmp_path / "theirs")
    start = Checkpoint("own", tmp_path / "own.model")
    start.folder.mkdir()
    assert layout_of(tmp_path / "theirs") == "timm"
    convert(tmp_path / "theirs", start.folder)
    backbone, _ = load_pretrained(start, "vision")
    backbone.eval()
    pixels = torch.randn(2, 3, *start.picture_settings().size)
    again = rebuild(json.loads(json.dumps(config_dict(backbone))))
    again.load_state_dict(backbone.state_dict())
    with torch.inference_mode():
        expected = network.forward_head(network.forward_features(pixels), pre_logits=True)
        output = backbone(pixel_values=pixels, output_hidden_states=True)
        twice = again.eval()(pixel_values=pixels)
    assert torch.allclose(output.pooler_output, expected, atol=1e-5)
    assert torch.allclose(twice.pooler_output, expected, atol=1e-5)
    wanted = network.pretrained_cfg
    assert start.picture_settings().mean == pytest.approx(wanted["mean"])
    if name in LAYERS or "vit" in name:
        assert layers_of(backbone)[0].endswith(LAYERS.get(name, "blocks"))
    model = built(tiny_model_params, {"image": start}, dim=16)
    assert_trains_and_reloads(model, tmp_path / "model")


def test_a_frozen_network_keeps_several_levels(
    theirs: Any, tmp_path: Path, tiny_model_params: ModelParams
):
    write(theirs, "test_convnext", tmp_path / "theirs")
    start = Checkpoint("own", tmp_path / "own.model")
    start.folder.mkdir()
    convert(tmp_path / "theirs", start.folder)
    image = tiny_model_params.image.model_copy(update={"unfreeze": "none", "pooling": "auto"})
    features = FeaturesParams(tokens="2x2", levels=3)
    tower = build_image_tower(image, 16, (160, 160), start, features)
    assert isinstance(tower, FrozenImageTower)
    assert len(tower.shape.widths) == 4  # three levels and the colour
    assert tower.shape.places == 4


def test_a_folder_is_refused_where_timm_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    folder = tmp_path / "theirs"
    folder.mkdir()
    save_file({"fc.weight": torch.zeros(2, 2)}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": "resnet18"}))
    with pytest.raises(ParamsError, match=r"needs timm, which is not installed.*\.\[timm\]"):
        convert(folder, tmp_path)


def test_weights_of_another_network_are_refused(theirs: Any, tmp_path: Path):
    write(theirs, "test_resnet", tmp_path / "theirs")
    file = tmp_path / "theirs" / "config.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"architecture": "test_convnext"}))
    with pytest.raises(ParamsError, match="not those of test_convnext"):
        convert(tmp_path / "theirs", tmp_path)


@pytest.mark.parametrize(("name", "says"), [("pytorch_model.bin", "pickled"), ("x", "missing")])
def test_a_folder_without_safetensors_is_refused(name: str, says: str, tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet18"}))
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ParamsError, match=says):
        convert(tmp_path, tmp_path)
