"""From a tower's own space to the shared one.

Shapes: B rows, P width of the tower's space, D embedding length, K vectors a text.
"""

import torch
from torch import nn

_APART = 0.02  # of further vectors of one query: equal ones would stay equal for ever


def new_projection(width: int, dim: int, vectors: int, *, keeps: bool) -> nn.Linear:
    """Return the linear map [B, P] -> [B, K * D] before training.

    Of a pretrained tower it changes nothing: the identity, which a shorter embedding cuts and a
    longer one pads with zeros. So the query and the text tower, and the pictures of a model of
    both, stay in the one space that they come in; two random maps would tear it apart.

    Args:
        width: P.
        dim: D.
        vectors: K.
        keeps: Whether the tower's space is to be kept; otherwise the map is random.
    """
    projection = nn.Linear(width, dim * vectors)
    if not keeps:
        return projection
    with torch.no_grad():
        projection.bias.zero_()
        projection.weight.normal_(std=_APART / width**0.5)
        projection.weight[:dim].zero_()
        for vector in range(vectors):
            projection.weight[vector * dim : (vector + 1) * dim] += torch.eye(dim, width)
    return projection
