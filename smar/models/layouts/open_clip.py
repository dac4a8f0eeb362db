"""The layout of open_clip: open_clip_config.json beside open_clip_model.safetensors.

Two kinds are read, without open_clip itself: CLIP as OpenAI and LAION trained it, and SigLIP, whose
picture model is one of timm's (Marqo/marqo-fashionSigLIP). Both are models of transformers under
other names; whatever a config asks for beyond them is refused by its name.
"""

import json
import shutil
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smar.errors import ParamsError, list_problems

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"
# open_clip's own, where a config names none.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)
_HEADS = {"base": 12, "large": 16, "so400m": 16, "giantopt": 16}  # of SigLIP's picture models
_RESAMPLE = {"nearest": 0, "bilinear": 2, "bicubic": 3}
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
# What decides nothing when a trained model is read.
_IDLE = frozenset({"patch_dropout", "output_tokens", "timm_drop", "timm_drop_path", "embed_cls"})
_IDLE_TEXT = frozenset({"hf_tokenizer_name", "tokenizer_mode", "tokenizer_kwargs", "pad_id"})
_SIZES = {"width", "layers", "mlp_ratio", "act_kwargs", "norm_kwargs"}
_CLIP_VISION = _SIZES | {"image_size", "head_width", "patch_size"}
_TEXT = _SIZES | {"context_length", "vocab_size", "heads"}
_SIGLIP_VISION = {"image_size", "timm_model_name", "timm_model_pretrained"}
_SIGLIP_VISION_FIXED = {"timm_pool": "map", "timm_proj": "none"}
_SIGLIP_TEXT_FIXED = {"no_causal_mask": True, "proj_bias": True, "pool_type": "last"}
_CLIP_FIXED: dict[str, Any] = {"pool_type": "tok"}
_CLIP_TEXT_FIXED: dict[str, Any] = {"pool_type": "argmax", "proj_type": "linear"}


def convert(folder: Path, place: Path) -> None:
    """Write a model of open_clip as one of transformers.

    Args:
        folder: In open_clip's layout.
        place: An empty folder.

    Raises:
        ParamsError: Names everything that is not read.
    """
    from safetensors.torch import load_file, save_file

    from smar.models.layouts.open_clip_weights import clip_weights, siglip_weights

    whole = _read_config(folder)
    model = whole["model_cfg"]
    is_siglip = "timm_model_name" in model["vision_cfg"]
    problems = _siglip_problems(model) if is_siglip else _clip_problems(model)
    if not (folder / WEIGHTS).is_file():
        pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
        why = ": its weights are pickled, which can run code" if pickled else ""
        problems.append(f"{WEIGHTS} is missing{why}")
    if problems:
        headline = f"{folder}: this model of open_clip cannot be used:"
        raise ParamsError(list_problems(headline, [f"{text}." for text in problems]))
    weights = {
        key.removeprefix("text."): value for key, value in load_file(folder / WEIGHTS).items()
    }
    if is_siglip:
        converted = siglip_weights(weights)
        config = _siglip_config(model, {key: tuple(v.shape) for key, v in converted.items()})
    else:
        converted, config = clip_weights(weights), _clip_config(model)
    save_file(converted, place / "model.safetensors", metadata={"format": "pt"})
    _write(place / "config.json", config)
    _write(place / "preprocessor_config.json", _preprocessing(whole, model["vision_cfg"]))
    _copy_tokenizer(folder, place, model["text_cfg"])


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        parts = [dict(content["model_cfg"][name]) for name in ("vision_cfg", "text_cfg")]
        content["model_cfg"]["vision_cfg"], content["model_cfg"]["text_cfg"] = parts
    except (ValueError, KeyError, TypeError) as error:
        raise ParamsError(
            f"{folder / CONFIG} is none of open_clip's ({error!r}); expected model_cfg with "
            "vision_cfg and text_cfg."
        ) from error
    return content


def _odd(
    part: str, config: Mapping[str, Any], free: set[str], fixed: Mapping[str, Any]
) -> list[str]:
    """Return what a config asks for that is not read: keys unknown, or of another value."""
    found = []
    for key, value in config.items():
        if key in fixed and value != fixed[key]:
            found.append(f"{part}.{key} is {value!r}; expected {fixed[key]!r}")
        elif key not in free | _IDLE and key not in fixed and value:
            found.append(f"{part}.{key} is {value!r}, which smar does not read")
    return found


def _clip_problems(model: Mapping[str, Any]) -> list[str]:
    vision, text = model["vision_cfg"], model["text_cfg"]
    found = _odd("vision_cfg", vision, set(_CLIP_VISION), _CLIP_FIXED)
    found += _odd("text_cfg", text, _TEXT | _IDLE_TEXT, _CLIP_TEXT_FIXED)
    if not isinstance(vision.get("layers", 12), int):
        found.append(f"vision_cfg.layers is {vision['layers']}: a ResNet; expected a Transformer")
    if not isinstance(vision.get("image_size", 224), int):
        found.append(f"vision_cfg.image_size is {vision['image_size']}; expected a square's edge")
    return found + _others(model)


def _siglip_problems(model: Mapping[str, Any]) -> list[str]:
    vision, text = model["vision_cfg"], model["text_cfg"]
    name = str(vision["timm_model_name"])
    found = _odd("vision_cfg", vision, set(_SIGLIP_VISION), _SIGLIP_VISION_FIXED)
    found += _odd("text_cfg", text, _TEXT | _IDLE_TEXT, _SIGLIP_TEXT_FIXED)
    found += [
        f"text_cfg.{key} is not {value!r}"
        for key, value in _SIGLIP_TEXT_FIXED.items()
        if key not in text
    ]
    if "_siglip_" not in name or _size_word(name) not in _HEADS:
        found.append(
            f"vision_cfg.timm_model_name is {name}; expected vit_SIZE_patchN_siglip_..., with SIZE "
            f"one of {', '.join(_HEADS)}"
        )
    return found + _others(model)


def _others(model: Mapping[str, Any]) -> list[str]:
    known = {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text"}
    known |= {"init_logit_bias", "init_logit_scale"}
    return _odd("model_cfg", {k: v for k, v in model.items() if k not in known}, set(), {})


def _size_word(timm_name: str) -> str:
    return timm_name.removeprefix("vit_").partition("_")[0]


def _activation(model: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    if model.get("quick_gelu"):
        return "quick_gelu"
    is_tanh = (part.get("act_kwargs") or {}).get("approximate") == "tanh"
    return "gelu_pytorch_tanh" if is_tanh else "gelu"


def _clip_config(model: Mapping[str, Any]) -> dict[str, Any]:
    vision, text = model["vision_cfg"], model["text_cfg"]
    width = vision.get("width", 768)
    pictures = {
        "num_attention_heads": width // vision.get("head_width", 64),
        "image_size": vision.get("image_size", 224),
        "patch_size": vision.get("patch_size", 16),
    }
    return {
        "model_type": "clip",
        "architectures": ["CLIPModel"],
        "projection_dim": model["embed_dim"],
        "vision_config": pictures | _sizes(model, vision, width, 1e-5),
        # The end-of-text token is the highest id, which open_clip looks for.
        "text_config": _text(model, text, 1e-5)
        | {
            "eos_token_id": text.get("vocab_size", 49408) - 1,
            "bos_token_id": None,
            "projection_dim": model["embed_dim"],
        },
    }


def _siglip_config(model: Mapping[str, Any], shapes: Mapping[str, Any]) -> dict[str, Any]:
    name = model["vision_cfg"]["timm_model_name"]
    patch = shapes["vision_model.embeddings.patch_embedding.weight"]
    layers = {key.split(".")[3] for key in shapes if key.startswith("vision_model.encoder.layers.")}
    pictures = {
        "hidden_size": patch[0],
        "patch_size": patch[-1],
        "image_size": model["vision_cfg"].get("image_size", 224),
        "num_hidden_layers": len(layers),
        "num_attention_heads": _HEADS[_size_word(name)],
        "intermediate_size": shapes["vision_model.encoder.layers.0.mlp.fc1.weight"][0],
        "hidden_act": "gelu_pytorch_tanh" if "giantopt" in name else "gelu",  # as timm does
        "layer_norm_eps": 1e-6,
    }
    text = _text(model, model["text_cfg"], 1e-5) | {
        "projection_size": model["embed_dim"],
        "bos_token_id": None,
        "eos_token_id": 1,
    }
    return {
        "model_type": "siglip",
        "architectures": ["SiglipModel"],
        "vision_config": pictures,
        "text_config": text,
    }


def _text(model: Mapping[str, Any], text: Mapping[str, Any], epsilon: float) -> dict[str, Any]:
    return {
        "vocab_size": text.get("vocab_size", 49408),
        "max_position_embeddings": text.get("context_length", 77),
        "num_attention_heads": text.get("heads", 8),
    } | _sizes(model, text, text.get("width", 512), epsilon)


def _sizes(
    model: Mapping[str, Any], part: Mapping[str, Any], width: int, epsilon: float
) -> dict[str, Any]:
    return {
        "hidden_size": width,
        "num_hidden_layers": part.get("layers", 12),
        "intermediate_size": int(width * part.get("mlp_ratio", 4.0)),
        "hidden_act": _activation(model, part),
        "layer_norm_eps": (part.get("norm_kwargs") or {}).get("eps", epsilon),
    }


def _preprocessing(whole: Mapping[str, Any], vision: Mapping[str, Any]) -> dict[str, Any]:
    said = whole.get("preprocess_cfg") or {}
    edge = vision.get("image_size", 224)
    return {
        "size": {"height": edge, "width": edge},
        "image_mean": list(said.get("mean") or _MEAN),
        "image_std": list(said.get("std") or _STD),
        "resample": _RESAMPLE.get(said.get("interpolation", "bicubic"), 3),
    }


def _copy_tokenizer(folder: Path, place: Path, text: Mapping[str, Any]) -> None:
    """Copy the tokenizer, with what open_clip does to a text before it.

    A folder without one is refused by what comes after, as every such folder is.
    """
    for name in _TOKENIZER_FILES:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, place / name)
    file = place / "tokenizer.json"
    if (text.get("tokenizer_kwargs") or {}).get("clean") != "canonicalize" or not file.is_file():
        return
    from tokenizers import Regex, Tokenizer, normalizers

    tokenizer = Tokenizer.from_file(str(file))
    punctuation = "".join(f"\\{sign}" for sign in string.punctuation)
    steps = [
        normalizers.Replace("_", " "),
        normalizers.Replace(Regex(f"[{punctuation}]"), ""),
        normalizers.Lowercase(),
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Strip(),
    ]
    own = [tokenizer.normalizer] if tokenizer.normalizer is not None else []
    tokenizer.normalizer = normalizers.Sequence([*steps, *own])
    tokenizer.save(str(file))


def _write(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
