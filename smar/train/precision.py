"""The number format of training, with the reason for the choice."""

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smar.artifacts import write_json
from smar.errors import ParamsError
from smar.params import TrainParams

_WORTH = 1.3  # bfloat16 loses digits: take it only for a gain that no busy moment makes up
_TRIALS = 5
_NAMES = ("float32", "bfloat16")
_HOPELESS = 3.0  # first steps are slow, but not this much: bfloat16 is emulated here
_PRODUCT = 256  # rows and columns of the product that is tried before a step, which takes seconds


@dataclass(frozen=True)
class Precision:
    """The number format of the forward pass; weights and optimiser stay in float32.

    Args:
        name: "float32", "bfloat16" or "float16".
        reason: Why, in words for the log.
        scale: What a loss is multiplied with before it is differentiated, scalar; None for 1.
    """

    name: str
    reason: str
    scale: Tensor | None = field(default=None, compare=False)

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Return the context in which the forward pass runs."""
        if self.name == "float32":
            return nullcontext()
        return torch.autocast(device.type, dtype=getattr(torch, self.name))

    def backward(self, loss: Tensor) -> None:
        """Add a loss's gradients, times the scale, to those of the weights."""
        scaled = loss if self.scale is None else loss * self.scale.to(loss.device)
        scaled.backward()  # type: ignore[no-untyped-call]


def check_precision(asked: Mapping[str, TrainParams], device: torch.device) -> None:
    """Refuse a number format that a device has no use for, before anything is trained.

    Args:
        asked: Of each training, by the name of its section.
        device: Where it runs.

    Raises:
        ParamsError: If float16 is asked for on a processor.
    """
    found = [f"{section}.precision" for section, of in asked.items() if of.precision == "float16"]
    if found and device.type != "cuda":
        raise ParamsError(
            f"{', '.join(found)}: 'float16' on this machine, where no CUDA device is visible; a "
            "processor has no fast products of it, and its small numbers end at 6e-8. Set it to "
            "auto, or to bfloat16, which has the range of float32"
        )


def choose_precision(
    requested: str, run_step: Callable[[Precision], None], remembered: Path, device: torch.device
) -> Precision:
    """Return the precision asked for, or the faster one of the two as measured here.

    The measurement is made once a machine and kept, so that runs repeated on it agree to the bit.
    Nothing is measured on a processor without a unit for products of matrices in bfloat16 (AMX):
    its gain, at most a fifth of a step, would come and go with what else the machine does. Where a
    product says that bfloat16 is emulated, no step is tried.

    Args:
        requested: "auto", "float32", "bfloat16" or "float16".
        run_step: Runs one forward and backward pass in a given precision.
        remembered: JSON file that keeps the measurement.
        device: Where the steps run.
    """
    if requested != "auto":
        return Precision(requested, "set in params.yaml")
    if device.type == "cpu" and not _has_matrix_unit():
        return Precision("float32", "this processor has no unit for products in bfloat16 (AMX)")
    if (kept := _read(remembered)) is None:
        kept = _measured(run_step, device)
        write_json(remembered, kept)
    measured = kept["seconds"]
    name = "bfloat16" if measured["float32"] > _WORTH * measured["bfloat16"] else "float32"
    return Precision(
        name,
        f"measured here: a {kept['tried']} takes {measured['float32']:.3g} s in float32, "
        f"{measured['bfloat16']:.3g} s in bfloat16 (taken from {_WORTH}x on)",
    )


def _has_matrix_unit() -> bool:
    return bool(torch.cpu._is_amx_tile_supported())


def _measured(run_step: Callable[[Precision], None], device: torch.device) -> dict[str, Any]:
    """Return the seconds of a step in each precision, or of what says that one is hopeless."""
    tried, seconds = "product of two matrices", _seconds(partial(_product, device), math.inf)
    if seconds["bfloat16"] < _HOPELESS * seconds["float32"]:
        tried, seconds = "step", _seconds(run_step, _HOPELESS)
    return {"tried": tried, "seconds": {name: round(s, 6) for name, s in seconds.items()}}


def _seconds(run: Callable[[Precision], None], hopeless: float) -> dict[str, float]:
    """Return the seconds of the fastest trial in each precision.

    They take turns, so that a busy moment hits both, and the first trial may prepare what the
    others use. There are no others where bfloat16 is so many times as slow.
    """
    seconds = dict.fromkeys(_NAMES, math.inf)
    for _ in range(_TRIALS):
        for name in _NAMES:
            seconds[name] = min(seconds[name], _timed(run, Precision(name, "trial")))
        if seconds["bfloat16"] >= hopeless * seconds["float32"]:
            break
    return seconds


def _product(device: torch.device, precision: Precision) -> None:
    matrix = torch.ones(_PRODUCT, _PRODUCT, device=device)
    with precision.autocast(device):
        _ = matrix @ matrix


def _timed(run_step: Callable[[Precision], None], precision: Precision) -> float:
    start = time.perf_counter()
    run_step(precision)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _read(path: Path) -> dict[str, Any] | None:
    """Return what `_measured` found; None if nothing of this form is kept."""
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content if "tried" in content else None
