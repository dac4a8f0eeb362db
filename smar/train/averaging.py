"""The mean over the weights of a run's last steps, which is what is validated and saved."""

from collections.abc import Iterable

import torch
from torch import nn


class WeightAverage(nn.Module):
    """An exponential moving average of parameters.

    `m_t = d_t m_(t-1) + (1 - d_t) w_t` with `d_t = min(decay, (1 + t) / (10 + t))`, so that what
    the weights began with is soon forgotten (Polyak and Juditsky, 1992; the ramp is that of
    TensorFlow's ExponentialMovingAverage). A decay of 0.99 is a mean over about 100 steps.

    Its numbers are buffers: they are part of a checkpoint that holds the module.

    Args:
        parameters: What is averaged: those of them that are trained.
        decay: In [0, 1); 0 averages nothing and costs nothing.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float) -> None:
        super().__init__()
        self.decay = decay
        self._of = [p for p in parameters if p.requires_grad] if decay else []
        for number, parameter in enumerate(self._of):
            self.register_buffer(f"mean_{number}", parameter.detach().clone())
        if decay:
            self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def _means(self) -> list[torch.Tensor]:
        return [self.get_buffer(f"mean_{number}") for number in range(len(self._of))]

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights of a step in."""
        if not self.decay:
            return
        count = self.get_buffer("steps").add_(1)
        decay = min(self.decay, float((1 + count) / (10 + count)))
        torch._foreach_lerp_(self._means, [p.detach() for p in self._of], 1 - decay)

    @torch.no_grad()
    def take_over(self) -> None:
        """Give the parameters their means."""
        for parameter, mean in zip(self._of, self._means, strict=True):
            parameter.copy_(mean)
