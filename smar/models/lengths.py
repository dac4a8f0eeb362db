"""Embeddings of which the first numbers alone say most (Matryoshka, Kusupati et al., 2022).

Shapes: N rows, D embedding length, d < D a shorter one.
"""

from torch import Tensor
from torch.nn import functional


def cut(vectors: Tensor, length: int) -> Tensor:
    """Return the first numbers of unit rows, scaled to unit norm again, [..., d].

    Every part of an item is cut by itself, S_t, S_i and S_m: the first numbers of the indexed
    `[S_t ; S_m]` would be those of the text alone. Both are scaled, for parts of unequal norm
    would shift the gate from item to item: with `[(1-g) Q_d ; g Q_d]` against `[S_t,d ; S_m,d]`
    the score is `(1-g) cos_d(Q, S_t) + g cos_d(Q, S_m)`, and all item rows have one norm, as at
    full length. P(q) = g is read from the query's states, not from Q, so that it is the same at
    every length; an item without a picture still has S_m = S_t. Each of a query's K vectors is cut
    by itself. What the picture brings (`gate.kind: benefit`) is measured at full length.

    Args:
        vectors: Unit rows, [..., D]; a row of zeros stays one.
        length: d, at most D.
    """
    return functional.normalize(vectors[..., :length].float(), dim=-1)
