"""In-batch softmax cross-entropy, which several losses are made of."""

import torch
from torch import Tensor

from smar.losses.scored import check_shapes


def cross_entropy(scores: Tensor, target: Tensor, allowed: Tensor, temperature: float) -> Tensor:
    """Return the cross-entropy of each query's own item among the items of the batch.

    `-log(exp(s_t / T) / sum_j exp(s_j / T))` over the allowed items j and the target t. Items that
    are known to fit the query as well (repeated, co-clicked, or holding all its words) must not be
    allowed as negatives, or the model is taught to part what belongs together.

    Args:
        scores: Similarities of queries and items, in [-1, 1], [Q, B].
        target: Column of each query's own item, [Q].
        allowed: True where item j may stand as a negative of query i, [Q, B].
        temperature: Softmax temperature, > 0 (typical 0.02 to 0.1).

    Returns:
        One loss per query, [Q]. Equals ln(1 + allowed negatives) when all scores are equal, and 0
        where no negative is allowed.

    Raises:
        ShapeError: If the shapes do not fit.
    """
    check_shapes("cross_entropy", scores, target, allowed)
    logits = scores.float() / temperature
    own = logits.gather(1, target[:, None])  # [Q, 1]
    considered = allowed.scatter(1, target[:, None], value=True)
    total = logits.masked_fill(~considered, -torch.inf).logsumexp(dim=1)  # [Q]
    return total - own.squeeze(1)
