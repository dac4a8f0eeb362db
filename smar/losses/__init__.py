"""Contrastive losses: one small file each, and an entry here.

A loss is called as `loss(scores, target, allowed, temperature) -> [Q]`, one value per query; it
sees scores alone, so it needs no model to be tested.
"""

from collections.abc import Callable

from torch import Tensor

from smar.losses.softmax import softmax_loss

LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor, float], Tensor]] = {"softmax": softmax_loss}
