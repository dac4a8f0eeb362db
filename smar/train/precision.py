"""The number format of training, with the reason for the choice."""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from smar.artifacts import write_json

_WORTH = 1.15  # bfloat16 loses digits: take it only for a clear gain
_TRIALS = 3
_HOPELESS = 3.0  # first steps are slow, but not this much: bfloat16 is emulated here


@dataclass(frozen=True)
class Precision:
    """The number format of the forward pass; weights and optimiser stay in float32.

    Args:
        name: "float32" or "bfloat16".
        reason: Why, in words for the log.
    """

    name: str
    reason: str

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Return the context in which the forward pass runs."""
        if self.name == "float32":
            return nullcontext()
        return torch.autocast(device.type, dtype=torch.bfloat16)


def choose_precision(
    requested: str, run_step: Callable[[Precision], None], remembered: Path
) -> Precision:
    """Return the precision asked for, or the faster one of the two as measured here.

    The measurement is made once a machine and kept, so that runs repeated on it agree to the bit.

    Args:
        requested: "auto", "float32" or "bfloat16".
        run_step: Runs one forward and backward pass in a given precision.
        remembered: JSON file that keeps the measurement.
    """
    if requested != "auto":
        return Precision(requested, "set in params.yaml")
    if not remembered.is_file():
        seconds = {}
        for name in ("float32", "bfloat16"):
            trial = Precision(name, "trial")
            seconds[name] = _timed(run_step, trial)
            if seconds[name] < _HOPELESS * seconds["float32"]:
                seconds[name] = min(_timed(run_step, trial) for _ in range(_TRIALS))
        write_json(remembered, {name: round(value, 4) for name, value in seconds.items()})
    measured = _read(remembered)
    name = "bfloat16" if measured["float32"] > _WORTH * measured["bfloat16"] else "float32"
    return Precision(
        name,
        f"measured here: {measured['float32']:.3f} s a step in float32, "
        f"{measured['bfloat16']:.3f} s in bfloat16 (taken from {_WORTH}x on)",
    )


def _timed(run_step: Callable[[Precision], None], precision: Precision) -> float:
    start = time.perf_counter()
    run_step(precision)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _read(path: Path) -> dict[str, float]:
    content: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return content
