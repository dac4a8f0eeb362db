"""Where a model runs, with the reason for the choice."""

import logging
import os

import torch

from smar.models.dual_encoder import DualEncoder

logger = logging.getLogger(__name__)


def place_model(model: DualEncoder, threads: int) -> DualEncoder:
    """Move a model to the best device, set torch's threads, and log which and why.

    Args:
        model: The model, moved in place.
        threads: CPU threads; 0 = as many as the process may use.
    """
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    device, reason = _choose_device()
    logger.info("device: %s (%s), %d CPU threads", device, reason, torch.get_num_threads())
    return model.to(device)


def _choose_device() -> tuple[torch.device, str]:
    if torch.cuda.is_available():
        return torch.device("cuda"), f"found {torch.cuda.get_device_name()}"
    return torch.device("cpu"), "no CUDA device is visible"
