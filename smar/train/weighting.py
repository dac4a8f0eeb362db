"""How the losses of several tasks become one."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class TaskWeights(nn.Module):
    """`sum_i w_i L_i`, with weights that are given, or learned.

    Learned weights follow Kendall et al. (CVPR 2018): `sum_i exp(-s_i) L_i + s_i`, where s_i is the
    log of a task's uncertainty; the optimum is `exp(-s_i) = 1 / L_i`, so that no task outweighs the
    others by the size of its loss. s starts at -ln(w): the given weights are where learning starts.
    A task of weight 0 is left out either way.

    Args:
        weights: Weight of each task, >= 0, by name; losses are summed in this order.
        is_learned: Whether the weights are trained.
    """

    def __init__(self, weights: Mapping[str, float], *, is_learned: bool) -> None:
        super().__init__()
        self.fixed = {name: weight for name, weight in weights.items() if weight > 0}
        self.log_variance: nn.Parameter | None = None
        if is_learned:
            starts = [-math.log(weight) for weight in self.fixed.values()]
            self.log_variance = nn.Parameter(torch.tensor(starts))

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks that are trained."""
        return list(self.fixed)

    def forward(self, losses: Mapping[str, Tensor], share: float = 1.0) -> Tensor:
        """Return the weighted sum of those losses, scalars by name, that have a weight.

        Args:
            losses: By name.
            share: How much of the batch they are; the sum over shares of 1 in all is the whole.
        """
        total = torch.zeros(())
        for place, (name, weight) in enumerate(self.fixed.items()):
            if name not in losses:
                continue
            if self.log_variance is None:
                total = total.to(losses[name].device) + weight * losses[name]
            else:
                log_variance = self.log_variance[place]
                total = (
                    total.to(log_variance.device)
                    + (-log_variance).exp() * losses[name]
                    + share * log_variance
                )
        return total

    def values(self) -> dict[str, Tensor]:
        """Return the learned weights for the log; nothing if they are given."""
        if self.log_variance is None:
            return {}
        weights = (-self.log_variance.detach()).exp()
        return {f"weight_{name}": weights[place] for place, name in enumerate(self.fixed)}
