"""Optimiser and learning rate."""

import math

import torch
from torch import nn

# Adam moves a parameter by about its rate a step: at the towers' rate a weight could not come far.
_WEIGHTS_RATE = 10.0


def build_optimizer(model: nn.Module, weight_decay: float) -> torch.optim.AdamW:
    """Return AdamW; weights are decayed, biases and norms are not."""
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    groups = [
        {"params": [p for _, p in named if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for _, p in named if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)


def add_weights(optimizer: torch.optim.Optimizer, weights: nn.Module) -> None:
    """Let an optimiser train learned task weights too, if there are any."""
    if parameters := list(weights.parameters()):
        optimizer.add_param_group(
            {"params": parameters, "weight_decay": 0.0, "rate_scale": _WEIGHTS_RATE}
        )


def learning_rate(step: int, steps: int, peak: float, warmup_frac: float) -> float:
    """Return the rate of a step: linear warm-up to `peak`, then a cosine down to 2 % of it.

    Args:
        step: The step, counted from 0.
        steps: All steps of the run.
        peak: Highest rate.
        warmup_frac: Share of the steps spent warming up.
    """
    warmup = max(1, round(steps * warmup_frac))
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
