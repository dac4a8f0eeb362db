"""Training for so many seconds of processor, the learning rate falling with them."""

import time
from collections.abc import Callable

import torch
from torch import nn

from smar.params.train import TrainParams
from smar.train.optim import learning_rate

_GRAIN = 1000  # parts of the time that the learning rate follows


def train_for(
    seconds: float,
    optimizer: torch.optim.Optimizer,
    settings: TrainParams,
    backward: Callable[[int], None],
) -> int:
    """Train for some seconds of this process (CPU time of all threads) and return the steps.

    Seconds of the clock would be unfair on a busy machine.

    Args:
        seconds: How long; the step that is under way at the end is finished.
        optimizer: With `rate_scale` in each group, as `build_optimizer` gives.
        settings: Highest learning rate, warm-up and bound of the gradients' norm.
        backward: Computes the gradients of a step, counted from 0.
    """
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    start, steps, share = time.process_time(), 0, 0.0
    while share < 1:
        rate = learning_rate(
            int(share * _GRAIN), _GRAIN, settings.learning_rate, settings.warmup_frac
        )
        for group in optimizer.param_groups:
            group["lr"] = rate * group["rate_scale"]
        optimizer.zero_grad()
        backward(steps)
        nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm)
        optimizer.step()
        steps += 1
        share = (time.process_time() - start) / seconds
    return steps
