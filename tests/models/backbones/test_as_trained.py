"""A tower gives the vector that the checkpoint's own library gives."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from smar.errors import ParamsError
from smar.models import pixels as fitting
from smar.models.dual_encoder import DualEncoder
from smar.models.pretrained import Checkpoint
from smar.models.pretrained_checks import check_pretrained, uses
from smar.params import FusionParams, ModelParams
from tests.models.backbones.conftest import EDGE, HIDDEN, PREPROCESSING
from tests.models.backbones.test_backbones import TEXTS, Zoo, built, embedded, pictures_of

WIDTHS = {"clip": 20, "siglip": HIDDEN}


def theirs(checkpoint: Checkpoint, name: str = "AutoModel") -> Any:
    return getattr(transformers, name).from_pretrained(checkpoint.folder).eval()


def unit(rows: Any) -> Tensor:
    return functional.normalize(getattr(rows, "pooler_output", rows), dim=-1)


def tokens(model: DualEncoder, **padding: Any) -> dict[str, Tensor]:
    model.text_tokenizer.tokenizer.enable_padding(**padding)
    read = model.text_tokenizer.tokenizer.encode_batch(TEXTS)
    model.text_tokenizer.tokenizer.no_padding()
    return {
        "input_ids": torch.tensor([each.ids for each in read]),
        "attention_mask": torch.tensor([each.attention_mask for each in read]),
    }


def normed(pictures: Tensor) -> Tensor:
    mean, std = (
        torch.tensor(PREPROCESSING[key])[:, None, None] for key in ("image_mean", "image_std")
    )
    return (pictures.permute(0, 3, 1, 2).float() / 255 - mean) / std


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_a_pair_starts_in_its_own_space(kind: str, zoo: Zoo, tiny_model_params: ModelParams):
    start = zoo(kind)
    starts = dict.fromkeys(("query", "text", "image"), start)
    model = built(tiny_model_params, starts, dim=WIDTHS[kind])
    whole = theirs(start)
    read = tokens(model, length=32) if kind == "siglip" else tokens(model)
    if kind == "siglip":
        del read["attention_mask"]
    with torch.inference_mode():
        text = unit(whole.get_text_features(**read))
        image = unit(whole.get_image_features(pixel_values=normed(pictures_of(model))))
    mine = embedded(model)
    assert torch.allclose(mine["query"], text, atol=1e-5)
    assert torch.allclose(mine["text"], text, atol=1e-5)
    assert torch.allclose(mine["image"], image, atol=1e-5)


@pytest.fixture
def half(zoo: Zoo, tmp_path: Path) -> Callable[[str, str], Checkpoint]:
    """Return a maker of checkpoints that hold one half of a pair alone."""

    def make(kind: str, part: str) -> Checkpoint:
        folder = tmp_path / "half.model"
        copytree(zoo(kind).folder, folder)
        whole = theirs(zoo(kind))
        if kind == "siglip":
            getattr(whole, f"{part}_model").save_pretrained(folder)
            return Checkpoint("half", folder)
        config = getattr(whole.config, f"{part}_config")
        alone = getattr(transformers, f"CLIP{part.title()}ModelWithProjection")(config)
        assert not alone.load_state_dict(whole.state_dict(), strict=False).missing_keys
        alone.save_pretrained(folder)
        return Checkpoint("half", folder)

    return make


@pytest.mark.parametrize("kind", ["clip", "siglip"])
@pytest.mark.parametrize(("part", "towers"), [("text", ("query", "text")), ("vision", ("image",))])
def test_half_of_a_pair_alone_gives_the_vectors_of_the_pair(
    kind: str,
    part: str,
    towers: tuple[str, ...],
    zoo: Zoo,
    half: Callable[[str, str], Checkpoint],
    tiny_model_params: ModelParams,
):
    mine, whole = (
        embedded(built(tiny_model_params, dict.fromkeys(towers, start), dim=WIDTHS[kind]))
        for start in (half(kind, part), zoo(kind))
    )
    for name in towers:
        assert torch.allclose(mine[name], whole[name], atol=1e-6)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
@pytest.mark.parametrize(
    ("part", "tower", "message"),
    [("text", "image", "text half .* sees no"), ("vision", "text", "vision half .* reads no")],
)
def test_half_of_a_pair_alone_is_refused_as_the_other(
    kind: str,
    part: str,
    tower: str,
    message: str,
    half: Callable[[str, str], Checkpoint],
    tiny_model_params: ModelParams,
):
    alone = half(kind, part)
    [use] = uses(alone)
    assert use.startswith("texts:" if part == "text" else "pictures:")
    asked = getattr(tiny_model_params, tower).model_copy(
        update={"pretrained": "half", "pooling": "auto"}
    )
    with pytest.raises(ParamsError, match=message):
        check_pretrained(tiny_model_params.model_copy(update={tower: asked}), alone.folder.parent)


@pytest.mark.parametrize("kind", ["dinov2", "dinov3_vit", "resnet", "convnext", "swin"])
def test_pictures_are_pooled_as_the_model_pools_them(
    kind: str, zoo: Zoo, tiny_model_params: ModelParams
):
    model = built(tiny_model_params, {"image": zoo(kind)})
    with torch.inference_mode():
        output = theirs(zoo(kind))(pixel_values=normed(pictures_of(model)))
    own = output.pooler_output.flatten(1)
    assert torch.allclose(embedded(model)["image"], unit(own[:, :HIDDEN]), atol=1e-5)


@pytest.mark.parametrize("kind", ["dinov2_with_registers", "dinov3_vit"])
def test_registers_are_no_patches(kind: str, zoo: Zoo, tiny_model_params: ModelParams):
    image = tiny_model_params.image.model_copy(update={"pooling": "mean"})
    start = zoo(kind)
    model = built(tiny_model_params, {"image": start})
    model.image.pooling = image.pooling
    with torch.inference_mode():
        states = theirs(start)(pixel_values=normed(pictures_of(model))).last_hidden_state
        hidden = model.image(pictures_of(model), torch.arange(3), 3).hidden
    patches = (EDGE // 8) ** 2
    assert states.shape[1] > patches + 1
    assert torch.allclose(embedded(model)["image"], unit(states[:, -patches:].mean(1)), atol=1e-5)
    assert hidden.shape[1] == patches + 1


@pytest.fixture
def changed(zoo: Zoo, tmp_path: Path) -> Callable[..., Checkpoint]:
    """Return a maker of a copy of a checkpoint with other files; None removes one."""

    def make(kind: str, **files: Any) -> Checkpoint:
        folder = tmp_path / "changed.model"
        copytree(zoo(kind).folder, folder)
        for name, content in files.items():
            file = folder / f"{name.replace('__', '/')}.json"
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(content))
        return Checkpoint("changed", folder)

    return make


def test_a_sentence_encoder_is_read_as_its_folder_says(
    changed: Callable[..., Checkpoint], tiny_model_params: ModelParams
):
    modules = [
        {"type": "sentence_transformers.models.Transformer", "path": ""},
        {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
        {"type": "sentence_transformers.models.Dense", "path": "2_Dense"},
        {"type": "sentence_transformers.models.Normalize", "path": "3_Normalize"},
    ]
    dense = {"out_features": 10, "activation_function": "torch.nn.modules.activation.Tanh"}
    start = changed(
        "bert",
        modules=modules,
        **{
            "1_Pooling__config": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
        },
        **{"2_Dense__config": dense},
        config_sentence_transformers={"prompts": {"query": "query: ", "document": "passage: "}},
    )
    weight, bias = torch.randn(10, HIDDEN), torch.randn(10)
    save_file(
        {"linear.weight": weight, "linear.bias": bias},
        start.folder / "2_Dense" / "model.safetensors",
    )
    model = built(tiny_model_params, {"query": start, "text": start}, dim=10)
    own, plain = theirs(start), Tokenizer.from_file(str(start.folder / "tokenizer.json"))
    for prefix, name in (("query: ", "query"), ("passage: ", "text")):
        table = getattr(model, f"{name}_tokenizer").encode(TEXTS)
        for row, text in enumerate(TEXTS):
            read = plain.encode(prefix + text).ids
            assert table.ids[row, : table.lengths[row]].tolist() == read
            ids = torch.tensor([read])
            with torch.inference_mode():
                first = own(input_ids=ids).last_hidden_state[:, 0]
            expected = unit((first @ weight.T + bias).tanh())[0]
            assert torch.allclose(embedded(model)[name][row], expected, atol=1e-5)


def test_pictures_take_the_size_of_the_cut(
    changed: Callable[..., Checkpoint], tiny_model_params: ModelParams
):
    """As DINOv2: 518 in its config, 224 in its processor, positions fitted to it."""
    small = {"do_center_crop": True, "crop_size": 16, "size": {"shortest_edge": 20}}
    start = changed("dinov2", preprocessor_config=PREPROCESSING | small)
    model = built(tiny_model_params, {"image": start})
    assert model.image.size == (16, 16)
    with torch.inference_mode():
        hidden = model.image(pictures_of(model), torch.arange(3), 3).hidden
    assert hidden.shape[1] == 1 + 4


def test_pictures_are_fitted_and_never_stretched(zoo: Zoo, tiny_model_params: ModelParams):
    model = built(tiny_model_params, {"image": zoo("siglip")})
    tall = torch.zeros(1, 32, 16, 3, dtype=torch.uint8)
    settings = model.image.preprocessing
    pixels = fitting.normed(fitting.pixels_of(tall, settings), settings)
    white, black = (normed(torch.full((1, 1, 1, 3), v, dtype=torch.uint8)) for v in (255, 0))
    assert torch.allclose(pixels[..., :8], white.expand(1, 3, 32, 8))
    assert torch.allclose(pixels[..., 8:24], black.expand(1, 3, 32, 16), atol=1e-5)
    assert torch.allclose(pixels[..., 24:], white.expand(1, 3, 32, 8))


def test_heads_that_do_not_divide_a_pretrained_width_are_refused(
    zoo: Zoo, tiny_model_params: ModelParams
):
    odd = {"cross_attention": {"heads": 7}}
    with pytest.raises(ParamsError, match="7 heads do not divide the text tower's width, 24"):
        built(tiny_model_params, {"text": zoo("bert")}, fusions=FusionParams.model_validate(odd))


@pytest.mark.parametrize(("dim", "kept"), [(12, 12), (HIDDEN, HIDDEN), (40, HIDDEN)])
def test_a_projection_keeps_the_space(
    dim: int, kept: int, zoo: Zoo, tiny_model_params: ModelParams
):
    start = zoo("bert")
    model = built(tiny_model_params, {"query": start, "text": start}, dim=dim)
    with torch.inference_mode():
        output = model.text(*(torch.tensor(v) for v in ([[1, 5, 6]], [3])))
    assert torch.allclose(output.embedding[:, :kept], unit(output.pooled[:, :kept]), atol=1e-6)
    assert not output.embedding[:, kept:].any()
