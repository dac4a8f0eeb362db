"""What a gate stands for: a mixture of two scores."""

import torch
from torch import Tensor


def gated_scores(text_scores: Tensor, multimodal_scores: Tensor, gate: Tensor) -> Tensor:
    """Return `(1-g) Q.S_t + g Q.S_m` of queries against items, [Q, N] (or [Q, K, N]).

    Args:
        text_scores: Q.S_t, [Q, N], or of each of K query vectors, [Q, K, N].
        multimodal_scores: Q.S_m, of the same shape.
        gate: P(q), [Q], in [0, 1].
    """
    share = gate.view(-1, *[1] * (text_scores.dim() - 1))
    return torch.lerp(text_scores, multimodal_scores, share)
