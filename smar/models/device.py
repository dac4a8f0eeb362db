"""Where a model runs, with the reason for the choice."""

import logging
import os
from typing import TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)

logger = logging.getLogger(__name__)


def place_model(model: Model, threads: int) -> Model:
    """Move a model to the best device, set torch's threads, and log which and why.

    Args:
        model: The model, moved in place.
        threads: CPU threads; 0 = as many as the process may use.
    """
    set_threads(threads)
    device, reason = choose_device()
    logger.info("device: %s (%s), %d CPU threads", device, reason, torch.get_num_threads())
    return model.to(device)


def set_threads(threads: int) -> None:
    """Let torch use so many CPU threads; 0 = all that its ranks may use here, divided."""
    ranks = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    torch.set_num_threads(threads or max(1, len(os.sched_getaffinity(0)) // ranks))


def choose_device() -> tuple[torch.device, str]:
    """Return the best device, and why it is that one."""
    if torch.cuda.is_available():
        return torch.device("cuda"), f"found {torch.cuda.get_device_name()}"
    return torch.device("cpu"), "no CUDA device is visible"
