"""Transformer backbones: built from a `transformers` config, or loaded from a path or the hub."""

import logging
from typing import Any, cast

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig

from smar.errors import ParamsError

logger = logging.getLogger(__name__)


def new_config(architecture: str, **sizes: Any) -> PretrainedConfig:
    """Return the `transformers` config of an architecture without dropout.

    Raises:
        ParamsError: If `transformers` has no such architecture.
    """
    try:
        return AutoConfig.for_model(
            architecture,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            **sizes,
        )
    except ValueError as error:
        raise ParamsError(
            f"architecture: transformers has no '{architecture}'; expected a model type such as "
            "bert or vit."
        ) from error


def load_pretrained(name: str, part: str) -> nn.Module:
    """Return a pretrained backbone in float32; no code from the hub is run.

    Args:
        name: Local path or hub name.
        part: "text" or "vision": which half of a dual model (CLIP, SigLIP) is taken.

    Raises:
        ParamsError: If no model can be loaded from there.
    """
    try:
        model = AutoModel.from_pretrained(
            name, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ParamsError(
            f"pretrained: no transformers model can be loaded from '{name}' ({error}). Give a "
            'folder with config.json and model.safetensors, a hub name, or "".'
        ) from error
    return _strip(getattr(model, f"{part}_model", model))


def build_from_config(config: PretrainedConfig) -> nn.Module:
    """Return a randomly initialised backbone."""
    model = AutoModel.from_config(config, attn_implementation="sdpa", trust_remote_code=False)
    return _strip(model)


def rebuild(config: dict[str, Any]) -> nn.Module:
    """Return the (still random) backbone that a saved config describes."""
    plain = dict(config)
    model_type = plain.pop("model_type")
    return build_from_config(AutoConfig.for_model(model_type, **plain))


def config_dict(backbone: nn.Module) -> dict[str, Any]:
    """Return the config of a backbone in plain JSON types."""
    config = cast("PretrainedConfig", backbone.config)
    content = config.to_diff_dict()
    content.pop("transformers_version", None)
    content["model_type"] = config.model_type
    return content


def hidden_size(backbone: nn.Module) -> int:
    """Return the width of a backbone's last hidden state."""
    config = cast("PretrainedConfig", backbone.config)
    size = getattr(config, "hidden_size", None) or config.hidden_sizes[-1]
    return int(size)


def _strip(model: nn.Module) -> nn.Module:
    """Drop the pooler: towers pool by themselves, and an unused layer would never be trained."""
    if getattr(model, "pooler", None) is not None:
        setattr(model, "pooler", None)  # noqa: B010 - the attribute is declared as a module
    return model
