"""Models on disk: one directory that rebuilds itself and proves that it did.

`saved` says what is in it. The embeddings of fixed inputs are computed again at load: wrong
pooling, other preprocessing or a half-loaded backbone cannot pass.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from tokenizers import Tokenizer
from torch import Tensor, nn

from smar.artifacts import Manifest, verify_directory, write_directory, write_json
from smar.data.tokens import token_tensors
from smar.errors import ArtifactError
from smar.models.backbone import build_head, config_dict, rebuild
from smar.models.dual_encoder import DualEncoder, ModelOptions
from smar.models.frozen import Kept
from smar.models.frozen_image import FrozenImageTower
from smar.models.image import ImageTower
from smar.models.origin import Origin
from smar.models.preprocessing import PictureSettings
from smar.models.saved import CONFIG, KIND, PROBE, PROBE_TEXTS, PROBE_TOLERANCE, tokenizer_file
from smar.models.searched import Searched
from smar.models.text import TextTower
from smar.models.tokenizer import TextTokenizer

__all__ = ["KIND", "load_model", "prove_round_trip", "save_model", "state_of"]

_TEXT_TOWERS = ("query", "text")


def save_model(model: DualEncoder, path: Path, manifest: Manifest) -> None:
    """Write a model as a directory artefact, whole or not at all."""
    manifest.details["model"] = {"dim": model.dim, **model.options.as_dict()}
    with write_directory(path, manifest) as folder:
        config: dict[str, Any] = model.settings()
        config["backbones"] = {
            name: config_dict(getattr(model, name).backbone) for name in (*_TEXT_TOWERS, "image")
        }
        config["tokenizers"] = {}
        for name in _TEXT_TOWERS:
            tokenizer: TextTokenizer = getattr(model, f"{name}_tokenizer")
            text = tokenizer.tokenizer.to_str(pretty=True)
            (folder / tokenizer_file(name)).write_text(text, encoding="utf-8")
            config["tokenizers"][name] = {
                "pad_id": tokenizer.pad_id,
                "max_tokens": tokenizer.max_tokens,
            }
        write_json(folder / CONFIG, config)
        model.searched.write(folder)
        weights = state_of(model)
        # Written from memory, so that a full disk is an OSError as everywhere else.
        (folder / "model.safetensors").write_bytes(save(weights))
        (folder / PROBE).write_bytes(save(_probe(model)))


def prove_round_trip(model: DualEncoder, folder: Path) -> None:
    """Save and load a model, so that what cannot come back is refused before it is trained.

    Args:
        model: As it is before its first step.
        folder: A place that may be used; nothing is left there.

    Raises:
        ArtifactError: If the loaded model is not the saved one.
    """
    try:
        save_model(model, folder, Manifest(kind=KIND))
        load_model(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of every weight by name, on the CPU; what is shared has a copy per name."""
    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in model.state_dict().items()
    }


def load_model(path: Path) -> DualEncoder:
    """Return a saved model in evaluation mode, on the CPU.

    Raises:
        ArtifactError: If a file is missing or damaged, a weight is missing or left over, or the
            rebuilt model gives other embeddings than the saved one did.
    """
    verify_directory(path, KIND)
    try:
        config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
        weights = load_file(path / "model.safetensors")
        expected = load_file(path / PROBE)
        model = _rebuild(config, path)
        model.load_state_dict(weights, strict=True)
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{path}: the model cannot be rebuilt ({error}). Restore it with `dvc checkout`, or "
            "make it again with `dvc repro`."
        ) from error
    model.searched = Searched.read(path)
    model.eval()
    for name, value in _probe(model).items():
        difference = float((value - expected[name]).abs().max())
        if not difference <= PROBE_TOLERANCE:
            raise ArtifactError(
                f"{path}: the loaded model gives other {name} embeddings than the saved one did "
                f"(difference {difference:.2g}, expected at most {PROBE_TOLERANCE}). A file was "
                "changed, or a library computes differently; make it again with `dvc repro`."
            )
    return model


def _rebuild(config: dict[str, Any], path: Path) -> DualEncoder:
    backbones = {name: rebuild(content) for name, content in config["backbones"].items()}
    tokenizers = {
        name: TextTokenizer(Tokenizer.from_file(str(path / tokenizer_file(name))), **settings)
        for name, settings in config["tokenizers"].items()
    }
    towers = config.get("towers", {})  # a model of an earlier version has none
    counts = {"query": config["query_vectors"], "text": 1}
    query, text = (
        TextTower(
            backbones[name],
            config["dim"],
            config["pooling"][name],
            counts[name],
            **_with_head(towers.get(name, {})),
        )
        for name in _TEXT_TOWERS
    )
    image = _with_head(config["image"])
    if "kept" in image:
        image["kept"] = Kept(**image["kept"])
    pictures = PictureSettings.of(
        {name: image.pop(name) for name in PictureSettings.names() if name in image}
    )
    model = DualEncoder(
        query=query,
        text=text,
        image=(FrozenImageTower if "kept" in image else ImageTower)(
            backbones["image"], config["dim"], preprocessing=pictures, **image
        ),
        options=ModelOptions(**config["options"]),
        query_tokenizer=tokenizers["query"],
        text_tokenizer=tokenizers["text"],
    )
    model.start = config.get("start", {})
    return model


def _with_head(settings: dict[str, Any]) -> dict[str, Any]:
    """Return a tower's settings with its head and its origin built."""
    content = dict(settings)
    source = content.pop("source", "")  # of a model of an earlier version
    origin = Origin(**content.pop("origin", {"source": source}))
    return {**content, "head": build_head(settings.get("head", [])), "origin": origin}


@torch.inference_mode()
def _probe(model: DualEncoder) -> dict[str, Tensor]:
    """Return the embeddings of three fixed queries and items, the last without a picture."""
    height, width = model.image.size
    ramp = torch.arange(2 * height * width * 3) % 251
    pictures = ramp.to(torch.uint8).reshape(2, height, width, 3)
    training = model.training
    model.eval()
    query_ids, query_lengths = _probe_tokens(model.query_tokenizer, model.device)
    item_ids, item_lengths = _probe_tokens(model.text_tokenizer, model.device)
    owner = torch.tensor([0, 1], device=model.device)
    query = model.encode_query_tokens(query_ids, query_lengths)
    item = model.encode_item_tokens(item_ids, item_lengths, pictures.to(model.device), owner)
    model.train(training)
    named = {
        "query": query.embedding,
        "gate": query.gate_logit.sigmoid(),
        "text": item.text,
        "image": item.image,
        "multimodal": item.multimodal,
    }
    return {name: value.cpu().contiguous() for name, value in named.items()}


def _probe_tokens(tokenizer: TextTokenizer, device: torch.device) -> tuple[Tensor, Tensor]:
    table = tokenizer.encode(PROBE_TEXTS)
    rows = np.arange(len(PROBE_TEXTS))
    return token_tensors(table, rows, device)
