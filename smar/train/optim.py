"""Optimiser and learning rate."""

import math
from collections.abc import Collection, Mapping
from types import MappingProxyType

import torch
from torch import nn

# Adam moves a parameter by about its rate a step: at the towers' rate a weight could not come far.
_WEIGHTS_RATE = 10.0


def build_optimizer(
    model: nn.Module,
    weight_decay: float,
    pretrained: Collection[nn.Parameter] = (),
    pretrained_rate: float = 1.0,
    depths: Mapping[int, int] = MappingProxyType({}),
    layer_decay: float = 1.0,
) -> torch.optim.AdamW:
    """Return AdamW; weights are decayed, biases and norms are not.

    Args:
        model: What is trained.
        weight_decay: Of weights.
        pretrained: Its parameters that others have trained before.
        pretrained_rate: Their learning rate, as a share of that of the others: what took others
            weeks is undone by a few hundred steps at a rate for new layers.
        depths: How many layers lie above each of these, by the parameter's `id`.
        layer_decay: The rate of a layer, as a share of that of the next one above it.
    """
    before = {id(parameter) for parameter in pretrained}
    groups = []
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    place = {
        id(p): depths.get(id(p), 0) if layer_decay < 1 else 0 for p in trained if id(p) in before
    }
    for depth in (None, *sorted(set(place.values()))):
        chosen = [p for p in trained if place.get(id(p)) == depth]
        scale = 1.0 if depth is None else pretrained_rate * layer_decay**depth
        for decay, part in (
            (weight_decay, [p for p in chosen if p.dim() > 1]),
            (0.0, [p for p in chosen if p.dim() <= 1]),
        ):
            if part:
                facts = {"weight_decay": decay, "rate_scale": scale, "is_old": depth is not None}
                groups.append({"params": part, **facts})
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
