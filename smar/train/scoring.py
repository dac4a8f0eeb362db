"""From encoded queries and items to the scores that a loss sees.

Shapes: Q queries, K vectors a query, B items, D embedding length.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from smar.losses.scored import ScoredPairs
from smar.models.dual_encoder import DualEncoder, ItemOutput, QueryOutput
from smar.models.query_vectors import merge_vectors
from smar.train.batching import Batch


@dataclass(frozen=True)
class Encoded:
    """A batch after the towers.

    Args:
        query: The queries.
        item: The items.
        beta: Softness of the maximum over a query's vectors.
    """

    query: QueryOutput
    item: ItemOutput
    beta: float

    def similarity(self, items: Tensor) -> Tensor:
        """Return dot products of every query vector with items [B, D]: [Q, B] or [Q, K, B].

        In float32: bfloat16 would blur scores by a tenth of a logit.
        """
        with torch.autocast(items.device.type, enabled=False):
            return self.query.embedding @ items.T

    def merged(self, similarity: Tensor) -> Tensor:
        """Return one score per query and item, [Q, B]."""
        return merge_vectors(similarity, self.beta)


def encode_batch(model: DualEncoder, batch: Batch) -> Encoded:
    """Return the queries and items of a batch; each item is encoded once."""
    query = model.encode_query_tokens(batch.query_ids, batch.query_lengths)
    return Encoded(query, encode_items_of(model, batch), model.options.beta)


def encode_items_of(model: DualEncoder, batch: Batch) -> ItemOutput:
    """Return the items of a batch."""
    return model.encode_item_tokens(batch.item_ids, batch.item_lengths, batch.pictures, batch.owner)


def pairs_of(scores: Tensor, batch: Batch, allowed: Tensor | None = None) -> ScoredPairs:
    """Return scores [Q, B] with what a batch knows of the pairs; `allowed` may be narrower."""
    may_stand = batch.allowed if allowed is None else allowed
    return ScoredPairs(scores, batch.target, may_stand, batch.shown, batch.grade)
