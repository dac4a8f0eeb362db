"""One run of a stage, with what is kept about it."""

import importlib
import time
from pathlib import Path

from smar.provenance import record


def run_stage(name: str, root: Path) -> dict[str, float]:
    """Run a stage, keep where its outputs come from, and return what it measured of its work.

    Returns:
        `stage_s` of the whole stage; of a training also its own `seconds` and `pairs_per_s`.
    """
    module = importlib.import_module(f"smar.stages.{name}")
    started = time.perf_counter()
    times: dict[str, float] = module.run(root) or {}
    times = {"stage_s": round(time.perf_counter() - started, 3)} | times
    record(root, name, module.STAGE.writes, times)
    return times
