"""What a training step of a model would take, computed: nothing is trained and no weight is made.

    python -m benchmarks.model_cost examples/papers/smar_paper.args [KEY=VALUE ...] --tflops 100

Parameters are counted from the model as it would be built, on torch's meta device; floating-point
operations from one forward pass of every tower and the fusion over a whole step, texts at their
full length and a picture an item, times three for forward and backward; activations from what
autograd saves for it. Seconds are operations over the speed given by --tflops (what a machine
reaches, not its peak). Losses, the gate and the reading of batches are left out: a few thousandths.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import torch
import yaml
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModel, CLIPConfig, ViTConfig

from smar.models import onednn
from smar.models.backbone import family_for
from smar.models.building import build_image_tower, build_text_tower
from smar.models.dual_encoder import DualEncoder, ModelOptions
from smar.models.image import ImageTower
from smar.models.origin import Origin
from smar.models.preprocessing import PictureSettings
from smar.models.pretrained import PARTS
from smar.models.text import TextTower, TowerOutput
from smar.models.tokenizer import TextTokenizer
from smar.params import Params, check_params

# Sizes of pretrained models by name; both are what transformers takes where nothing is said.
CONFIGS: dict[str, Callable[[], Any]] = {
    "openai/clip-vit-base-patch32": CLIPConfig,
    "google/vit-base-patch16-224": ViTConfig,
}
_FLOAT, _GB = 4, 1e9
_WITH_BACKWARD = 3  # a backward pass has two products for each one of the forward pass


def read_parameters(root: Path, arguments: Path | None, changes: list[str]) -> Params:
    """Return params.yaml with what a file of arguments of `dvc exp run` and KEY=VALUE change."""
    content = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    words = shlex.split(arguments.read_text(encoding="utf-8")) if arguments else []
    for change in [*words[1::2], *changes]:
        key, _, value = change.removeprefix("++").partition("=")
        *parts, last = key.split(".")
        section = content
        for part in parts:
            section = section.setdefault(part, {})
        section[last] = yaml.safe_load(value) if value else ""
    return check_params(content, str(arguments or "params.yaml"))


def build(params: Params) -> DualEncoder:
    """Return the model on the device in force, its tokenizers left out."""
    model = params.model
    tokenizer = cast("TextTokenizer", SimpleNamespace(vocab_size=model.vocab_size, pad_id=0))
    images = params.ingest.images
    towers: dict[str, Any] = {}
    for name in PARTS:
        own = getattr(model, name)
        if source := model.source_of(name):
            towers[name] = _pretrained(name, source, model.dim)
        elif name == "image":
            towers[name] = build_image_tower(own, model.dim, (images.height, images.width))
        else:
            towers[name] = build_text_tower(own, model.dim, tokenizer)
    options = ModelOptions(
        fusion=model.fusion,
        gate="",
        beta=model.query_vectors.beta,
        field_markers=model.field_markers,
        shared_words=model.shared_words,
        shared_tower=model.shared_tower,
        fusion_params=params.fusion.of(model.fusion).model_dump(),
        lengths=[],
    )
    return DualEncoder(
        **towers, options=options, query_tokenizer=tokenizer, text_tokenizer=tokenizer
    )


def _pretrained(name: str, source: str, dim: int) -> nn.Module:
    """Return a tower of the sizes of a pretrained model."""
    if source not in CONFIGS:
        raise SystemExit(f"sizes of {source} are not known; expected one of {', '.join(CONFIGS)}")
    config = CONFIGS[source]()
    family, part = family_for(config), PARTS[name]
    backbone, own = family.take(AutoModel.from_config(config, trust_remote_code=False), part)
    head, origin = nn.Sequential(*([own] if own is not None else [])), Origin(source)
    config = getattr(config, f"{part}_config", config)
    if part == "text" and family.text:
        return TextTower(backbone, dim, family.text(config).pooling, head=head, origin=origin)
    facts = family.pictures(config) if family.pictures else None
    if facts is None:
        raise SystemExit(f"{source} reads no {part}")
    size = (config.image_size, config.image_size)
    return ImageTower(
        backbone,
        dim,
        preprocessing=PictureSettings(size),
        pooling=facts.pooling,
        prefix=facts.prefix,
        head=head,
        origin=origin,
    )


class Saved:
    """Counts the bytes that autograd keeps for a backward pass, weights left out.

    Args:
        weights: What is not counted.
    """

    def __init__(self, weights: list[nn.Parameter]) -> None:
        self._weights = {weight.untyped_storage()._cdata for weight in weights}
        self._held: dict[int, Tensor] = {}

    def pack(self, tensor: Tensor) -> Tensor:
        """Note a tensor; several views of one storage count once."""
        place = tensor.untyped_storage()._cdata
        if place not in self._weights:
            self._held.setdefault(place, tensor)
        return tensor

    @property
    def num_bytes(self) -> int:
        """Bytes so far."""
        return sum(tensor.untyped_storage().nbytes() for tensor in self._held.values())


def measure(model: nn.Module, run: Callable[[], Any]) -> tuple[float, int, Any]:
    """Return the operations of a forward pass, the bytes it saves, and what it returns."""
    saved = Saved(list(model.parameters()))
    counter = FlopCounterMode(display=False)
    with (
        patch.object(onednn, "_is_faster", return_value=False),  # the counter knows Torch's own
        counter,
        torch.autograd.graph.saved_tensors_hooks(saved.pack, lambda tensor: tensor),
    ):
        output = run()
    return float(counter.get_total_flops()), saved.num_bytes, output


def cost(params: Params, model: DualEncoder, device: str = "meta") -> dict[str, Any]:
    """Return parameters, operations and saved bytes of a step, by part of the model."""
    settings = params.pretrain
    items = settings.items_per_step
    counts = {"query": items * settings.queries_per_item, "text": items, "image": items}
    found: dict[str, Any] = {}
    states: dict[str, TowerOutput] = {}
    for name, count in counts.items():
        tower: Any = getattr(model, name)
        if name == "image":
            pixels = torch.zeros(count, 3, *tower.size, device=device)
            values = measure(tower, partial(_read_pictures, tower, pixels))
        else:
            length = getattr(params.model, name).max_tokens
            ids = torch.zeros(count, length, dtype=torch.long, device=device)
            values = measure(tower, partial(_read_text, tower, ids))
        hidden, pooled = values[2]
        mask = torch.ones(hidden.shape[:2], dtype=torch.bool, device=device)
        states[name] = TowerOutput(hidden, pooled, mask, pooled[:, : model.dim], pooled.sum())
        found[name] = _part(tower, *values[:2])
    values = measure(model.fusion, partial(model.fusion, states["text"], states["image"]))
    found["fusion"] = _part(model.fusion, *values[:2])
    return found


def _read_pictures(tower: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
    states, pooled = tower._read(tower.backbone(pixel_values=pixels))
    return states, pooled


def _read_text(tower: Any, ids: Tensor) -> tuple[Tensor, Tensor]:
    output = tower.backbone(input_ids=ids)
    hidden = output.last_hidden_state
    pooled = output.pooler_output if tower.pooling == "own" else hidden[:, 0]
    return hidden, pooled


def _part(module: nn.Module, operations: float, num_bytes: int) -> dict[str, float]:
    return {
        "parameters": sum(p.numel() for p in module.parameters()),
        "operations": _WITH_BACKWARD * operations,
        "saved_bytes": num_bytes,
    }


def totals(model: nn.Module, parts: dict[str, Any], tflops: float) -> dict[str, float]:
    """Return what a step needs in all: GB in float32 with AdamW, and seconds at a speed."""
    numbers = sum(p.numel() for p in model.parameters())
    operations = sum(part["operations"] for part in parts.values())
    activations = sum(part["saved_bytes"] for part in parts.values())
    return {
        "parameters_millions": numbers / 1e6,
        "weights_gb": _FLOAT * numbers / _GB,
        "gradients_gb": _FLOAT * numbers / _GB,
        "adam_gb": 2 * _FLOAT * numbers / _GB,
        "activations_gb": activations / _GB,
        "memory_gb": (4 * _FLOAT * numbers + activations) / _GB,
        "tera_operations": operations / 1e12,
        "seconds": operations / 1e12 / tflops,
    }


def main() -> None:
    """Print the cost of a step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arguments", type=Path, nargs="?")
    parser.add_argument("changes", nargs="*")
    parser.add_argument("--tflops", type=float, default=0.1, help="10^12 operations a second")
    options = parser.parse_intermixed_args()
    params = read_parameters(Path(), options.arguments, options.changes)
    with torch.device("meta"):
        model = build(params)
    parts = cost(params, model)
    content = {"step": {"items": params.pretrain.items_per_step}, **parts}
    content["step"]["queries"] = content["step"]["items"] * params.pretrain.queries_per_item
    content["total"] = {k: round(v, 4) for k, v in totals(model, parts, options.tflops).items()}
    sys.stdout.write(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
