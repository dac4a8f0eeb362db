"""Backbones: built from a `transformers` config, or loaded from a pretrained model's folder."""

import logging
from typing import Any, cast

import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils.logging import disable_progress_bar, get_logger

from smar.errors import ParamsError
from smar.models.backbones import Family, family_of
from smar.models.efficientnet_lite import EfficientNetLiteModel
from smar.models.own_configs import (
    OWN,
    EfficientNetLiteConfig,
    TimmPictureConfig,
    register_configs,
)
from smar.models.pretrained import Checkpoint
from smar.models.timm_picture import TimmPictureModel

logger = logging.getLogger(__name__)

disable_progress_bar()  # of weights, of which there are few; it is written over the log
# Its tables of weights that are not used, or not there: what counts is refused in words.
get_logger("transformers.modeling_utils").addFilter(lambda of: "LOAD REPORT" not in of.getMessage())

_LONGEST = 400  # characters of another library's error
_NONE = Family(name="others", types=frozenset())
_ACTIVATIONS: dict[str, type[nn.Module]] = {"Identity": nn.Identity, "Tanh": nn.Tanh}


def new_config(architecture: str, **sizes: Any) -> PretrainedConfig:
    """Return the `transformers` config of an architecture without dropout.

    Raises:
        ParamsError: If `transformers` has no such architecture.
    """
    try:
        config = AutoConfig.for_model(architecture, **sizes)
    except ValueError as error:
        raise ParamsError(
            f"architecture: transformers has no '{architecture}'; expected a model type such as "
            "bert or vit."
        ) from error
    return _without_dropout(config)


def load_pretrained(checkpoint: Checkpoint, part: str) -> tuple[nn.Module, nn.Sequential]:
    """Return a pretrained backbone in float32 and its own head; no code from elsewhere is run.

    The head holds the linear layers that its checkpoint has behind the pooled state: CLIP's
    projection, the dense layers of a sentence encoder. It is empty where there are none.

    Args:
        checkpoint: A model that `check_pretrained` let pass.
        part: "text" or "vision": which half of a model of both is taken.

    Raises:
        ParamsError: If the weights are not those of the config.
    """
    folder = str(checkpoint.folder)
    _register()
    try:
        config = _without_dropout(AutoConfig.from_pretrained(folder, trust_remote_code=False))
        family = family_for(config)
        loader: Any = getattr(transformers, _class_of(config, family))
        model, told = loader.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, in words
        )
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        raise ParamsError(
            f"pretrained: {checkpoint.name} cannot be loaded from {folder} "
            f"({' '.join(str(error).split())[:_LONGEST]})."
        ) from error
    _check_weights(checkpoint, model, told)
    backbone, own = family.take(model, part)
    head = [own] if own is not None else []
    if part == "text":
        head += _dense_layers(checkpoint)
    return _bare(backbone), nn.Sequential(*head)


def _class_of(config: Any, family: Family) -> str:
    """Return the name of what loads a model: AutoModel leaves out a projection of a half alone."""
    saved = (config.architectures or [""])[0]
    if saved.endswith("WithProjection") and hasattr(transformers, saved):
        return str(saved)
    return family.classes.get(config.model_type, "AutoModel")


def _check_weights(checkpoint: Checkpoint, model: nn.Module, told: dict[str, Any]) -> None:
    """Refuse weights that are not those of the config, or no numbers."""
    again = "Take it in again from where it comes from."
    if lost := sorted(key for key in told["missing_keys"] if "pooler" not in key):
        raise ParamsError(
            f"pretrained: {checkpoint.name}: {len(lost)} weights that its config.json asks for are "
            f"not in its file (first: {lost[0]}). {again}"
        )
    if other := sorted(each for each in told["mismatched_keys"] if "pooler" not in each[0]):
        name, found, expected = other[0]
        raise ParamsError(
            f"pretrained: {checkpoint.name}: {len(other)} weights have another shape than its "
            f"config.json asks for (first: {name}: {list(found)}, expected {list(expected)}). "
            f"{again}"
        )
    for name, value in model.named_parameters():
        if not torch.isfinite(value).all():
            raise ParamsError(
                f"pretrained: {checkpoint.name}: {name} holds what is no number. {again}"
            )


def build_from_config(config: PretrainedConfig, name: str = "") -> nn.Module:
    """Return a randomly initialised backbone.

    Args:
        config: Its config.
        name: Its class in transformers; "" for the one of `AutoModel`.
    """
    if not name:
        return _bare(AutoModel.from_config(config, trust_remote_code=False))
    kind = getattr(transformers, name, None)
    if isinstance(kind, type) and issubclass(kind, PreTrainedModel):
        built: Any = kind
        backbone, _ = family_for(config).take(built._from_config(config), "text")
        return _bare(backbone)
    raise ValueError(f"transformers has no model {name}")


def rebuild(content: dict[str, Any]) -> nn.Module:
    """Return the (still random) backbone that a saved config describes."""
    _register()
    plain = dict(content)
    name = plain.pop("class", "")
    model_type = plain.pop("model_type")
    name = "" if model_type in OWN else name
    kind: Any = getattr(transformers, name).config_class if name else None
    config = kind(**plain) if kind else AutoConfig.for_model(model_type, **plain)
    return build_from_config(config, name)


def config_dict(backbone: nn.Module) -> dict[str, Any]:
    """Return the config of a backbone in plain JSON types, with its class."""
    config = cast("PretrainedConfig", backbone.config)
    content = config.to_diff_dict()
    content.pop("transformers_version", None)
    content["model_type"] = config.model_type
    content["class"] = type(backbone).__name__
    return content


def family_for(config: Any) -> Family:
    """Return the family of a config; one without facts for a type that no adapter knows."""
    return family_of(config.model_type) or _NONE


def hidden_size(backbone: nn.Module) -> int:
    """Return the width of a backbone's last hidden state."""
    config: Any = backbone.config
    for name in ("hidden_size", "hidden_dim", "d_model"):
        if isinstance(size := getattr(config, name, None), int):
            return size
    return int(config.hidden_sizes[-1])


def head_width(head: nn.Sequential, width: int) -> int:
    """Return how many numbers a head makes of a pooled state of so many."""
    widths = [layer.out_features for layer in head if isinstance(layer, nn.Linear)]
    return widths[-1] if widths else width


def head_settings(head: nn.Sequential) -> list[dict[str, Any]]:
    """Return what rebuilds a head, in plain JSON types."""
    return [
        {"in": layer.in_features, "out": layer.out_features, "bias": layer.bias is not None}
        if isinstance(layer, nn.Linear)
        else {"activation": type(layer).__name__}
        for layer in head
    ]


def build_head(settings: list[dict[str, Any]]) -> nn.Sequential:
    """Return the (still random) head that `head_settings` described."""
    return nn.Sequential(
        *(
            _ACTIVATIONS[layer["activation"]]()
            if "activation" in layer
            else nn.Linear(layer["in"], layer["out"], bias=layer["bias"])
            for layer in settings
        )
    )


def _dense_layers(checkpoint: Checkpoint) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for dense in checkpoint.sentence.dense:
        weights = load_file(dense.file)
        linear = nn.Linear(weights["linear.weight"].shape[1], dense.width, bias=dense.has_bias)
        linear.load_state_dict(
            {name.removeprefix("linear."): value.float() for name, value in weights.items()}
        )
        layers.append(linear)
        if dense.activation != "Identity":
            layers.append(_ACTIVATIONS[dense.activation]())
    return layers


def _register() -> None:
    register_configs()
    AutoModel.register(EfficientNetLiteConfig, EfficientNetLiteModel, exist_ok=True)
    AutoModel.register(TimmPictureConfig, TimmPictureModel, exist_ok=True)


def _without_dropout(config: PretrainedConfig) -> PretrainedConfig:
    """Switch every kind of dropout off: runs are short, and a resumed one has to be the whole."""
    for name, value in vars(config).items():
        if isinstance(value, PretrainedConfig):
            _without_dropout(value)
        elif "drop" in name and isinstance(value, float):
            setattr(config, name, 0.0)
    if getattr(config, "use_cache", None):
        config.use_cache = False
    return config


def _bare(model: nn.Module) -> nn.Module:
    """Drop a pooler with weights: towers pool by themselves, and it would never be trained.

    One without weights, such as the mean over a map, is how the model pools.
    """
    pooler = getattr(model, "pooler", None)
    if isinstance(pooler, nn.Module) and any(True for _ in pooler.parameters()):
        setattr(model, "pooler", None)  # noqa: B010 - the attribute is declared as a module
    return model
