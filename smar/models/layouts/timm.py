"""The layout of timm: config.json that names an architecture, beside model.safetensors.

The network stays timm's own, so the extra `timm` has to be installed, where it is taken in and
where it is used. Its classifier is left out.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smar.errors import ParamsError
from smar.models.backbones.timm_picture import MODEL_TYPE

_RESAMPLE = {"nearest": 0, "bilinear": 2, "bicubic": 3}
_WEIGHTS = "model.safetensors"
_OURS = frozenset({"num_classes", "pretrained"})  # arguments that smar sets itself


def convert(folder: Path, place: Path) -> None:
    """Write a model of timm as one of transformers, proved by one picture.

    Args:
        folder: In timm's layout.
        place: An empty folder.

    Raises:
        ParamsError: If timm is not installed, does not know the architecture, or the weights are
            not those of it.
    """
    from safetensors.torch import load_file, save_file

    from smar.models.own_configs import TimmPictureConfig
    from smar.models.timm_picture import TimmPictureModel

    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    settings = content.get("pretrained_cfg") or {}
    name = content.get("architecture", "")
    if not (folder / _WEIGHTS).is_file():
        pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pth"))
        why = ": its weights are pickled, which can run code" if pickled else ""
        raise ParamsError(f"{folder}: {_WEIGHTS} is missing{why}; take a revision that has it.")
    _, height, width = settings.get("input_size") or (3, 224, 224)
    config = TimmPictureConfig(
        architecture=name,
        model_args={k: v for k, v in (content.get("model_args") or {}).items() if k not in _OURS},
        image_size=height if height == width else [height, width],
    )
    model = TimmPictureModel(config)
    weights = load_file(folder / _WEIGHTS)
    wanted = set(model.network.state_dict())
    heads = _classifiers(settings)
    other = sorted(k for k in set(weights) - wanted if not k.startswith(heads))
    lost = sorted(wanted - set(weights))
    if other or lost:
        kind, first = ("too many", other[0]) if other else ("too few", lost[0])
        raise ParamsError(
            f"{folder}: the weights are not those of {name} in the timm that is installed: "
            f"{kind}, first {first}. Take it with the version of timm that wrote it."
        )
    try:
        model.network.load_state_dict({key: weights[key] for key in wanted})
    except RuntimeError as error:
        raise ParamsError(f"{folder}: the weights do not fit {name} ({error}).") from error
    model.prove()
    content = config.to_diff_dict()
    content.pop("transformers_version", None)
    _write(place / "config.json", content | {"model_type": MODEL_TYPE})
    _write(place / "preprocessor_config.json", _preprocessing(settings, (height, width)))
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(state, place / _WEIGHTS, metadata={"format": "pt"})


def _classifiers(settings: Mapping[str, Any]) -> tuple[str, ...]:
    named = settings.get("classifier") or ("head", "fc", "classifier")
    names = (named,) if isinstance(named, str) else tuple(named)
    return (*(f"{name}." for name in names), "head.fc.")


def _preprocessing(settings: Mapping[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    return {
        "size": {"height": size[0], "width": size[1]},
        "image_mean": list(settings.get("mean") or (0.485, 0.456, 0.406)),
        "image_std": list(settings.get("std") or (0.229, 0.224, 0.225)),
        "resample": _RESAMPLE.get(settings.get("interpolation", "bicubic"), 3),
    }


def _write(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
