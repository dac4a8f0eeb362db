"""Several vectors per query, as DPSR's query tower has.

Shapes: Q queries, K vectors a query, N items.
"""

import torch
from torch import Tensor


def merge_vectors(scores: Tensor, beta: float) -> Tensor:
    """Return one score per query and item, [Q, N].

    Of several vectors' scores z it is `sum_k softmax_k(z / beta)_k z_k` (DPSR, 2020), a soft
    maximum: every vector learns, the best one most. A search takes the maximum itself (its limit
    for beta -> 0), because that is what K searches of one index, merged, give exactly; the soft
    one is never larger, and smaller by at most `beta (K - 1) / e`.

    Args:
        scores: [Q, N], returned as they are, or of each vector, [Q, K, N].
        beta: Softness, > 0.
    """
    if scores.dim() == 2:
        return scores
    return torch.einsum("qkn,qkn->qn", (scores / beta).softmax(dim=1), scores)
