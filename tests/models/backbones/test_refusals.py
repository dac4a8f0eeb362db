"""What cannot be used is refused in words, before any work and all at once."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from smar.errors import ParamsError
from smar.models.pretrained import Checkpoint
from smar.models.pretrained_checks import check_pretrained
from smar.params import ModelParams
from tests.models.backbones.conftest import write_tokenizer
from tests.models.backbones.test_backbones import Zoo

Edit = Callable[[Path], object]


def drop(*names: str) -> Edit:
    return lambda folder: [(folder / name).unlink() for name in names]


def write(name: str, content: Any) -> Edit:
    return lambda folder: (folder / name).write_text(json.dumps(content))


def change(name: str, **values: Any) -> Edit:
    def edit(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content | values))

    return edit


def rename(old: str, new: str) -> Edit:
    return lambda folder: (folder / old).rename(folder / new)


def text(name: str, content: str) -> Edit:
    return lambda folder: (folder / name).write_text(content)


def halve(name: str) -> Edit:
    return lambda folder: (folder / name).write_bytes(
        (folder / name).read_bytes()[: (folder / name).stat().st_size // 2]
    )


def other_tokenizer(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["vocab"] = {k: v for k, v in content["model"]["vocab"].items() if v < 270}
    content["model"]["merges"] = content["added_tokens"] = []
    content["post_processor"] = None
    (folder / "tokenizer.json").write_text(json.dumps(content))


WEIGHTS = "model.safetensors"
CASES: dict[str, tuple[str, str, Edit, dict[str, Any], str]] = {
    "pointer": (
        "text",
        "bert",
        text(WEIGHTS, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        {},
        "a pointer of git-lfs.*`git lfs pull`",
    ),
    "empty weights": ("text", "bert", text(WEIGHTS, ""), {}, r"\(0 bytes\) is no safetensors file"),
    "no header": ("text", "bert", text(WEIGHTS, "\2" + 7 * "\0" + "[]"), {}, "header is not read"),
    "half a file": ("image", "vit", halve(WEIGHTS), {}, "its header says .* not copied whole"),
    "odd index": (
        "text",
        "bert",
        text("model.safetensors.index.json", "{"),
        {},
        r"model\.safetensors\.index\.json is not JSON",
    ),
    "empty index": (
        "text",
        "bert",
        write("model.safetensors.index.json", {}),
        {},
        "has no weight_map",
    ),
    "other name": (
        "text",
        "bert",
        rename(WEIGHTS, "model.fp16.safetensors"),
        {},
        r"model\.safetensors is missing; there is model\.fp16\.safetensors",
    ),
    "list for config": ("text", "bert", write("config.json", []), {}, r"config\.json holds a list"),
    "quantized": (
        "text",
        "bert",
        change("config.json", quantization_config={"quant_method": "gptq"}),
        {},
        r"quantized \(gptq\)",
    ),
    "no deviation": (
        "image",
        "vit",
        change("preprocessor_config.json", image_std=[0.2, 0.0, 0.2]),
        {},
        r"image_std is \[0\.2, 0\.0, 0\.2\]; expected three numbers above 0",
    ),
    "list for a processor": (
        "image",
        "vit",
        write("preprocessor_config.json", []),
        {},
        r"preprocessor_config\.json holds a list",
    ),
    "odd prompts": (
        "text",
        "bert",
        write("config_sentence_transformers.json", {"prompts": ["query: "]}),
        {},
        "its prompts are no object",
    ),
    "odd modules": ("text", "bert", write("modules.json", {}), {}, "is no list of modules"),
    "lora": ("text", "bert", write("adapter_config.json", {}), {}, "LoRA/PEFT adapter"),
    "no config": ("text", "bert", drop("config.json"), {}, r"config\.json is missing"),
    "open_clip": (
        "image",
        "clip",
        rename("config.json", "open_clip_config.json"),
        {},
        "in open_clip's layout.*`smar backbone chosen FOLDER`",
    ),
    "timm": (
        "image",
        "resnet",
        write("config.json", {"architecture": "resnet50"}),
        {},
        "in timm's layout.*`smar backbone chosen FOLDER`",
    ),
    "not json": (
        "text",
        "bert",
        lambda folder: (folder / "config.json").write_text("{"),
        {},
        "is not JSON",
    ),
    "remote code": (
        "text",
        "bert",
        change("config.json", model_type="evil", auto_map={"AutoModel": "evil.Model"}),
        {},
        "needs code from where it was downloaded",
    ),
    "pickled": (
        "text",
        "bert",
        rename("model.safetensors", "pytorch_model.bin"),
        {},
        "pickled, which can run code",
    ),
    "no weights": ("text", "bert", drop("model.safetensors"), {}, r"model\.safetensors is missing"),
    "lost shard": (
        "text",
        "bert",
        write("model.safetensors.index.json", {"weight_map": {"a": "model-2.safetensors"}}),
        {},
        r"shards named in its index are missing: model-2\.safetensors",
    ),
    "no tokenizer": (
        "query",
        "bert",
        drop("tokenizer.json"),
        {},
        "every word would be unknown",
    ),
    "other tokenizer": ("query", "bert", other_tokenizer, {}, "tokenizer of another model"),
    "too long": ("text", "qwen3", lambda _: None, {"max_tokens": 65}, "64 positions"),
    "first of causal": (
        "query",
        "clip",
        lambda _: None,
        {"pooling": "cls"},
        "every text would get one and the same vector",
    ),
    "own of none": ("query", "bert", lambda _: None, {"pooling": "own"}, r"auto \(mean\)"),
    "top left": ("image", "siglip", lambda _: None, {"pooling": "cls"}, r"top left"),
    "no processor": (
        "image",
        "vit",
        drop("preprocessor_config.json"),
        {},
        r"preprocessor_config\.json is missing",
    ),
    "no size": (
        "image",
        "resnet",
        write("preprocessor_config.json", {"image_mean": [0.5] * 3}),
        {},
        "names no size",
    ),
    "odd size": (
        "image",
        "vit",
        change("preprocessor_config.json", size=30),
        {},
        "patches of 8 do not divide",
    ),
    "naflex": (
        "image",
        "siglip",
        write("config.json", {"model_type": "siglip2"}),
        {},
        "NaFlex",
    ),
    "pictures of a text model": (
        "image",
        "vit",
        write("config.json", {"model_type": "bert"}),
        {},
        "reads no pictures",
    ),
    "texts of a picture model": (
        "text",
        "bert",
        write("config.json", {"model_type": "vit"}),
        {},
        "reads no texts",
    ),
    "unknown": (
        "image",
        "vit",
        write("config.json", {"model_type": "levit"}),
        {},
        "no adapter reads pictures with a 'levit'; expected one of: CLIP",
    ),
    "odd config": (
        "image",
        "vit",
        change("config.json", patch_size="large"),
        {},
        "transformers cannot read its config.json .*patch_size",
    ),
    "maximum": (
        "text",
        "bert",
        lambda folder: (
            write("modules.json", [{"type": "models.Pooling", "path": "."}])(folder),
            change("config.json", pooling_mode_max_tokens=True)(folder),
        ),
        {},
        "its pooling is pooling_mode_max_tokens; expected mean, cls or last",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_model_that_cannot_be_used_is_refused(
    case: str, zoo: Zoo, tiny_model_params: ModelParams, tmp_path: Path
):
    tower, kind, edit, changes, message = CASES[case]
    folder = tmp_path / "chosen.model"
    copytree(zoo(kind).folder, folder)
    params = with_start(tiny_model_params, tower, "chosen", pooling="auto")
    check_pretrained(params, tmp_path)
    edit(folder)
    with pytest.raises(ParamsError, match=message) as refused:
        check_pretrained(with_start(params, tower, "chosen", **changes), tmp_path)
    assert "nothing was started" in str(refused.value)
    assert f"model.{tower}: chosen: " in str(refused.value)


def with_start(params: ModelParams, tower: str, name: str, **changes: Any) -> ModelParams:
    chosen = getattr(params, tower).model_copy(update={"pretrained": name, **changes})
    return params.model_copy(update={tower: chosen})


def test_all_problems_are_told_at_once(zoo: Zoo, tiny_model_params: ModelParams, tmp_path: Path):
    folder = tmp_path / "e5.model"
    copytree(zoo("bert").folder, folder)
    (folder / "tokenizer.json").unlink()
    params = with_start(tiny_model_params, "query", "e5", pooling="own")
    params = with_start(params, "image", "dino")
    with pytest.raises(ParamsError) as refused:
        check_pretrained(params, tmp_path)
    text = str(refused.value)
    assert text.startswith("3 problem(s)")
    assert all(word in text for word in ("no pooling of its own", "unknown", "`smar backbone dino"))


def test_a_pair_that_every_tower_takes_is_named_once(
    tiny_model_params: ModelParams, tmp_path: Path
):
    params = tiny_model_params.model_copy(update={"pretrained": "clip"})
    with pytest.raises(ParamsError, match=r"model\.pretrained \(image\): clip: there is no folder"):
        check_pretrained(params, tmp_path)


def test_other_weights_under_the_same_name_are_another_model(zoo: Zoo, tmp_path: Path):
    folder = tmp_path / "chosen.model"
    copytree(zoo("bert").folder, folder)
    before = Checkpoint("chosen", folder).digest()
    assert before == zoo("bert").digest()
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    assert Checkpoint("chosen", folder).digest() != before


def test_a_fresh_tokenizer_is_that_of_the_model(
    zoo: Zoo, tiny_model_params: ModelParams, tmp_path: Path
):
    folder = tmp_path / "chosen.model"
    copytree(zoo("bert").folder, folder)
    (folder / "tokenizer.json").unlink()
    write_tokenizer(folder)
    check_pretrained(with_start(tiny_model_params, "query", "chosen", pooling="auto"), tmp_path)
