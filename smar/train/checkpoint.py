"""Training state that survives kill -9, in safetensors and JSON."""

import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import nn

from smar.artifacts import Manifest, verify_directory, write_directory, write_json
from smar.errors import ArtifactError
from smar.models.io import state_of
from smar.replace import put_back
from smar.train.randomness import random_state, set_random_state

logger = logging.getLogger(__name__)

KIND = "checkpoint"


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Args:
        step: Steps done.
        history: Rows logged so far.
    """

    step: int
    history: list[dict[str, float]]


def save_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress
) -> None:
    """Write the whole training state; the last one stays until this one is complete.

    The state of random numbers is part of it: a backbone may draw some that nobody switched off.
    """
    with write_directory(folder, Manifest(kind=KIND)) as part:
        (part / "model.safetensors").write_bytes(save(state_of(model)))
        (part / "optimizer.safetensors").write_bytes(save(_flat_state(optimizer)))
        (part / "random.safetensors").write_bytes(save(random_state()))
        write_json(part / "progress.json", vars(progress))


def load_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> Progress | None:
    """Fill model and optimiser from a checkpoint; None if there is none that can be read."""
    put_back(folder)
    if not folder.exists():
        return None
    try:
        verify_directory(folder, KIND)
        progress = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "model.safetensors")
        state = load_file(folder / "optimizer.safetensors")
        numbers = load_file(folder / "random.safetensors")
    except (ArtifactError, OSError, ValueError) as error:
        logger.warning("checkpoint %s is not readable and is left aside: %s", folder, error)
        return None
    model.load_state_dict(weights, strict=True)
    _restore(optimizer, state)
    set_random_state(numbers)
    return Progress(int(progress["step"]), list(progress["history"]))


def remove_checkpoint(folder: Path) -> None:
    """Delete a checkpoint whose run is complete."""
    shutil.rmtree(folder, ignore_errors=True)


def _flat_state(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": value.detach().cpu().contiguous()
        for index, values in state.items()
        for name, value in values.items()
    }


def _restore(optimizer: torch.optim.Optimizer, flat: dict[str, torch.Tensor]) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in flat.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    content = optimizer.state_dict()
    content["state"] = state
    optimizer.load_state_dict(content)
