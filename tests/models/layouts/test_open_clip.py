"""open_clip's layout is taken in as a model of transformers that gives the same vectors."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

from smar.cli import main
from smar.models.layouts import layout_of
from smar.models.pretrained import Checkpoint
from smar.models.pretrained_checks import check_pretrained
from smar.params import ModelParams
from tests.models.backbones.test_backbones import (
    TEXTS,
    assert_trains_and_reloads,
    built,
    embedded,
    pictures_of,
)
from tests.models.layouts import reference

WIDTHS = {"clip": 20, "siglip": reference.WIDTH}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "params.yaml").write_text("")
    return root


def take_in(project: Path, folder: Path, name: str = "shop/own") -> int:
    return main(["backbone", name, str(folder), "--root", str(project)])


def taken(project: Path) -> Checkpoint:
    return Checkpoint("shop/own", project / "backbones" / "shop" / "own.model")


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_three_towers_start_as_open_clip_has_them(
    kind: str,
    project: Path,
    tmp_path: Path,
    tiny_model_params: ModelParams,
    capsys: pytest.CaptureFixture[str],
):
    theirs = reference.write(kind, tmp_path / "theirs")
    assert take_in(project, tmp_path / "theirs") == 0
    told = capsys.readouterr().out
    assert "in one space: set model.pretrained to shop/own" in told
    start = taken(project)
    length = reference.LENGTH
    towers = {
        name: getattr(tiny_model_params, name).model_copy(update={"pooling": "auto"})
        for name in ("query", "text", "image")
    }
    for name in ("query", "text"):
        towers[name] = towers[name].model_copy(update={"max_tokens": length})
    params = tiny_model_params.model_copy(update={"pretrained": "shop/own", **towers})
    check_pretrained(params, project / "backbones")
    starts = dict.fromkeys(("query", "text", "image"), start)
    model = built(params, starts, dim=WIDTHS[kind])
    tokenizer = model.text_tokenizer.tokenizer
    tokenizer.enable_padding(length=length, pad_id=0)
    ids = torch.tensor([each.ids for each in tokenizer.encode_batch(TEXTS)])
    tokenizer.no_padding()
    pixels = (pictures_of(model).permute(0, 3, 1, 2) / 255 - 0.5) / 0.25
    with torch.inference_mode():
        texts, pictures = theirs.texts(ids), theirs.pictures(pixels)
    mine = embedded(model)
    assert torch.allclose(mine["query"], texts, atol=1e-5)
    assert torch.allclose(mine["text"], texts, atol=1e-5)
    assert torch.allclose(mine["image"], pictures, atol=1e-5)
    assert_trains_and_reloads(model, tmp_path / "model")


def test_texts_are_cleaned_as_open_clip_cleans_them(project: Path, tmp_path: Path):
    reference.write("siglip", tmp_path / "theirs")
    assert take_in(project, tmp_path / "theirs") == 0
    file = taken(project).folder / "tokenizer.json"
    encode = Tokenizer.from_file(str(file)).encode
    assert encode("  Red,  BOOT's_(2) ").ids == encode("red boots 2").ids


def test_a_repository_that_transformers_reads_too_is_left_as_it_is(
    tmp_path: Path, zoo: Callable[[str], Checkpoint]
):
    copytree(zoo("clip").folder, tmp_path / "both")
    (tmp_path / "both" / "open_clip_config.json").write_text("{}")
    assert not layout_of(tmp_path / "both")
    config = json.loads((tmp_path / "both" / "config.json").read_text())
    own_code = config | {"auto_map": {"AutoModel": "theirs.Model"}}
    (tmp_path / "both" / "config.json").write_text(json.dumps(own_code))
    assert layout_of(tmp_path / "both") == "open_clip"


def change(part: str, **values: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        file = folder / "open_clip_config.json"
        content = json.loads(file.read_text())
        inner = content["model_cfg"][part] if part else content["model_cfg"]
        inner.update(values)
        file.write_text(json.dumps(content))

    return edit


def pickle_weights(folder: Path) -> None:
    file = folder / "open_clip_model.safetensors"
    file.rename(folder / "open_clip_pytorch_model.bin")


REFUSED: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "coca": ("clip", change("", multimodal_cfg={"width": 8}), "multimodal_cfg is"),
    "resnet": ("clip", change("vision_cfg", layers=[3, 4, 6, 3]), "a ResNet"),
    "huggingface text": ("clip", change("text_cfg", hf_model_name="roberta"), "hf_model_name"),
    "other pooling": ("siglip", change("vision_cfg", timm_pool="avg"), "expected 'map'"),
    "other trunk": (
        "siglip",
        change("vision_cfg", timm_model_name="convnext_base"),
        "timm_model_name is convnext_base",
    ),
    "pickled": ("clip", pickle_weights, "pickled, which can run code"),
    "no tokenizer": (
        "clip",
        lambda f: (f / "tokenizer.json").unlink(),
        "every word would be unknown",
    ),
    "no config": ("clip", lambda f: (f / "open_clip_config.json").write_text("[]"), "is none of"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_read_is_named(
    case: str, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    kind, edit, message = REFUSED[case]
    reference.write(kind, tmp_path / "theirs")
    edit(tmp_path / "theirs")
    code = take_in(project, tmp_path / "theirs")
    told = capsys.readouterr()
    if case == "no tokenizer":  # its pictures can be used alone
        assert (code, "pictures: 32 x 32" in told.out) == (0, True)
        assert f"texts: cannot be used: tokenizer.json is missing: {message}" in told.out
        return
    assert code == 2
    assert message in told.err
    assert not (project / "backbones").exists()


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_the_reference_is_open_clip(kind: str, monkeypatch: pytest.MonkeyPatch):
    try:
        import open_clip
        from timm.models import vision_transformer
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"needs open_clip_torch, with a torchvision for the torch here ({error})")
    made = vision_transformer._create_vision_transformer
    small = {"embed_dim": reference.WIDTH, "depth": reference.LAYERS}
    small |= {"img_size": reference.EDGE, "patch_size": reference.PATCH}

    def make(name: str, pretrained: bool = False, **sizes: Any) -> Any:
        return made(name, pretrained=pretrained, **(sizes | small))

    monkeypatch.setattr(vision_transformer, "_create_vision_transformer", make)
    mine = reference.made(kind)
    config = {k: v for k, v in getattr(reference, kind.upper()).items() if k != "custom_text"}
    theirs = (open_clip.CLIP if kind == "clip" else open_clip.CustomTextCLIP)(**config).eval()
    theirs.load_state_dict(mine.state_dict(), strict=True)
    ids = torch.randint(3, 318, (2, reference.LENGTH))
    ids[:, -1] = reference.VOCAB - 1
    pixels = torch.randn(2, 3, reference.EDGE, reference.EDGE)
    with torch.inference_mode():
        assert torch.allclose(theirs.encode_text(ids, normalize=True), mine.texts(ids), atol=1e-5)
        pictures = theirs.encode_image(pixels, normalize=True)
        assert torch.allclose(pictures, mine.pictures(pixels), atol=1e-5)
