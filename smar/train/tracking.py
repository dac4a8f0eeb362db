"""Where the logged values of a training go beside its table: trackers by name.

Each is a package that people install themselves; where it keeps its data is for its own settings to
say (MLFLOW_TRACKING_URI, WANDB_MODE, ...).
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

from smar.params.tracking import Tracking

logger = logging.getLogger(__name__)

Log = Callable[[int, Mapping[str, float]], None]
"""Takes a step, counted from 0, and its values by name."""


def untracked() -> AbstractContextManager[Log]:
    """Return what takes logged values and does nothing with them."""
    return nullcontext(lambda step, values: None)


@contextmanager
def tracked(
    tracking: Tracking, folder: Path, stage: str, params: Mapping[str, Any]
) -> Iterator[Log]:
    """Yield what hands logged values to every tracker.

    A tracker that fails on the way costs no training: that is logged once, and it is asked no more.

    Args:
        tracking: Which trackers.
        folder: Where those that write files may write.
        stage: Name of the run.
        params: What decides the run.
    """
    with ExitStack() as stack:
        logs: dict[str, Log] = {}
        for name in tracking.trackers:
            logs[name] = stack.enter_context(_OPEN[name](folder / name, stage, _flat(params)))

        def log(step: int, values: Mapping[str, float]) -> None:
            for name in list(logs):
                try:
                    logs[name](step, values)
                except Exception as error:  # noqa: BLE001 - theirs may be of any kind
                    logger.warning("tracker %s is asked no more: %s", name, error)
                    del logs[name]

        yield log


@contextmanager
def _tensorboard(folder: Path, stage: str, params: Mapping[str, Any]) -> Iterator[Log]:
    writer = import_module("torch.utils.tensorboard").SummaryWriter(folder / stage)
    writer.add_text("params", "\n".join(f"    {name}: {value}" for name, value in params.items()))

    def log(step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    try:
        yield log
    finally:
        writer.close()


@contextmanager
def _mlflow(folder: Path, stage: str, params: Mapping[str, Any]) -> Iterator[Log]:
    client = import_module("mlflow")
    client.set_experiment("smar")
    with client.start_run(run_name=stage):
        client.log_params({name: str(value)[:500] for name, value in params.items()})
        yield lambda step, values: client.log_metrics(dict(values), step=step)


@contextmanager
def _wandb(folder: Path, stage: str, params: Mapping[str, Any]) -> Iterator[Log]:
    folder.mkdir(parents=True, exist_ok=True)
    run = import_module("wandb").init(
        project="smar", name=stage, config=dict(params), dir=str(folder)
    )
    try:
        yield lambda step, values: run.log(dict(values), step=step)
    finally:
        run.finish()


@contextmanager
def _dvclive(folder: Path, stage: str, params: Mapping[str, Any]) -> Iterator[Log]:
    # A DVC experiment of its own or a dvc.yaml beside ours would be a second graph.
    live = import_module("dvclive").Live(
        str(folder / stage), save_dvc_exp=False, dvcyaml=None, monitor_system=False
    )

    def log(step: int, values: Mapping[str, float]) -> None:
        live.step = step
        for name, value in values.items():
            live.log_metric(name, value)
        live.make_summary()

    with live:
        live.log_params(dict(params))
        yield log


_OPEN = {"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb, "dvclive": _dvclive}


def _flat(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested parameters by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, int | float | str) else str(value)
    return flat
