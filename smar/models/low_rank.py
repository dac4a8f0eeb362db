"""Small matrices beside frozen ones (LoRA), which training moves and saving merges.

`W + s U D` in place of every linear layer's W, with U [out, r] of zeros and D [r, in] random, so
that a tower begins as it was (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models",
2021). A merged tower is one as any other: it is saved, loaded and served without a trace of it.

Shapes: r rank.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

_RANK, _SCALE = 8, 2.0  # of the authors' examples, where alpha is twice the rank
_ADDED = ".parametrizations.weight.0."


class _LowRank(nn.Module):
    """What is added to a weight [out, in].

    Args:
        weight: The weight.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        out, inner = weight.shape
        self.down = nn.Parameter(weight.new_empty(_RANK, inner))
        self.up = nn.Parameter(weight.new_zeros(out, _RANK))
        nn.init.normal_(self.down, std=inner**-0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight with what was learned."""
        return weight + _SCALE * (self.up @ self.down)


def add_low_rank(backbone: nn.Module) -> None:
    """Put small matrices beside every linear layer of a backbone."""
    for layer in _linear(backbone):
        parametrize.register_parametrization(layer, "weight", _LowRank(layer.weight))


def merge_low_rank(backbone: nn.Module) -> None:
    """Make one weight of each pair of weights, with the same results."""
    for layer in _linear(backbone):
        if parametrize.is_parametrized(layer, "weight"):
            with torch.no_grad():
                parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def is_added(name: str) -> bool:
    """Return whether a parameter of that name is one of the small matrices."""
    return _ADDED in f".{name}"


def _linear(backbone: nn.Module) -> Iterator[nn.Linear]:
    yield from [module for module in backbone.modules() if isinstance(module, nn.Linear)]
