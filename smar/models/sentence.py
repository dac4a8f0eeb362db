"""What a sentence encoder's folder says beside its weights, as sentence-transformers writes it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smar.models.folder_files import read_json, read_object

_POOLING = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_lasttoken": "last",
}
_ACTIVATIONS = ("Identity", "Tanh")
# Encoders whose folder does not say what their texts began with in training.
_BEGINNINGS = {
    re.compile(r"(?:^|[-_/])e5(?:[-_]|$)", re.IGNORECASE): ("query: ", "passage: "),
    re.compile(r"(?:^|[-_/])bge-\w+-en", re.IGNORECASE): (
        "Represent this sentence for searching relevant passages: ",
        "",
    ),
}


@dataclass(frozen=True)
class Dense:
    """A linear layer behind the pooling.

    Args:
        file: Safetensors file of `linear.weight` and `linear.bias`.
        width: Numbers that come out.
        activation: "Identity" or "Tanh".
        has_bias: Whether it has a bias.
    """

    file: Path
    width: int
    activation: str
    has_bias: bool


@dataclass(frozen=True)
class SentenceSettings:
    """What a folder says of a sentence encoder.

    Args:
        pooling: "mean", "cls", "last", or "" where it says nothing.
        dense: Layers behind the pooling, in order.
        query: What a query begins with.
        passage: What an item text begins with.
        problems: What it says that cannot be done here.
    """

    pooling: str
    dense: tuple[Dense, ...]
    query: str
    passage: str
    problems: tuple[str, ...]


def read_sentence_settings(folder: Path, name: str) -> SentenceSettings:
    """Return what a folder says; nothing at all is fine.

    Args:
        folder: The model's folder.
        name: Its name, by which a few encoders are known to want a beginning.

    Raises:
        ValueError: If a file of it is not of the form that sentence-transformers writes.
    """
    problems: list[str] = []
    pooling, dense = "", []
    for module in _modules(folder / "modules.json"):
        kind = str(module.get("type", "")).rpartition(".")[2]
        part = folder / str(module.get("path", ""))
        if kind == "Pooling":
            pooling = _pooling(_json(part / "config.json"), problems)
        elif kind == "Dense":
            dense.append(_dense(part, problems))
        elif kind not in {"Transformer", "Normalize"}:
            problems.append(f"modules.json names a module '{kind}', which smar does not have")
    prompts = _json(folder / "config_sentence_transformers.json").get("prompts") or {}
    if not isinstance(prompts, dict):
        problems.append("config_sentence_transformers.json: its prompts are no object of texts")
        prompts = {}
    query, passage = prompts.get("query"), prompts.get("document", prompts.get("passage"))
    if query is None and passage is None:
        known = next((both for shape, both in _BEGINNINGS.items() if shape.search(name)), ("", ""))
        query, passage = known
    return SentenceSettings(pooling, tuple(dense), query or "", passage or "", tuple(problems))


def _pooling(config: dict[str, Any], problems: list[str]) -> str:
    named = config.get("pooling_mode")
    wanted = [
        name for name, on in config.items() if name.startswith("pooling_mode_") and on is True
    ]
    chosen = [str(named)] if named else [_POOLING.get(name, name) for name in wanted]
    chosen = ["last" if name == "lasttoken" else name for name in chosen]
    if len(chosen) != 1 or chosen[0] not in _POOLING.values():
        problems.append(f"its pooling is {', '.join(chosen) or 'none'}; expected mean, cls or last")
        return ""
    return chosen[0]


def _dense(part: Path, problems: list[str]) -> Dense:
    config = _json(part / "config.json")
    activation = str(config.get("activation_function", "Identity")).rpartition(".")[2]
    file = part / "model.safetensors"
    if activation not in _ACTIVATIONS:
        problems.append(
            f"{part.name} ends in {activation}; expected one of {', '.join(_ACTIVATIONS)}"
        )
    if not file.is_file():
        problems.append(f"{part.name}/model.safetensors is missing")
    return Dense(
        file, int(config.get("out_features", 0)), activation, bool(config.get("bias", True))
    )


def _modules(file: Path) -> list[dict[str, Any]]:
    content = read_json(file) if file.is_file() else []
    if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
        raise ValueError(f"{file.name} is no list of modules")
    return content


def _json(file: Path) -> dict[str, Any]:
    return read_object(file) if file.is_file() else {}
