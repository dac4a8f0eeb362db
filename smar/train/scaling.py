"""The scale of a loss whose gradients are float16 on their way through the towers."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_START = 4096.0
_GROWTH, _BACKOFF = 2.0, 0.5
_INTERVAL = 2000  # steps without overflow after which a larger scale is tried
_LEAST = 1.0  # a loss that overflows unscaled overflows by itself


class LossScale(nn.Module):
    """Dynamic loss scaling (Micikevicius et al., "Mixed Precision Training", 2018).

    float16 ends at 65504 and loses what is below 6e-8, as most gradients of a unit-norm embedding
    are. So s L is differentiated in place of L, and gradients are divided by s where they are
    float32. A step whose gradients are not finite is left out and halves s; 2,000 steps in a row
    without one double it. This is the rule of `torch.amp.GradScaler`, with two differences: s and
    the count are buffers, so that checkpoints and ranks have them, and s starts at 4,096 in place
    of 65,536, which costs short trainings some of the few steps in which the rate rises.
    """

    scale: Tensor
    good_steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(_START))
        self.register_buffer("good_steps", torch.zeros((), dtype=torch.int64))

    @property
    def is_spent(self) -> bool:
        """Whether the loss overflows without any scale as well."""
        return bool(self.scale < _LEAST)

    @torch.no_grad()
    def unscale(self, parameters: Iterable[nn.Parameter]) -> None:
        """Divide the gradients of parameters by s."""
        gradients = [each.grad for each in parameters if each.grad is not None]
        torch._foreach_mul_(gradients, float(1 / self.scale))

    @torch.no_grad()
    def settle(self, *, is_finite: bool) -> None:
        """Choose the next s.

        Args:
            is_finite: Whether the gradients of this step were.
        """
        if not is_finite:
            self.scale.mul_(_BACKOFF)
            self.good_steps.zero_()
            return
        self.good_steps += 1
        if self.good_steps == _INTERVAL:
            self.scale.mul_(_GROWTH)
            self.good_steps.zero_()
